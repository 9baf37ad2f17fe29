"""kbert/masking/selection.py"""

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kbert.masking import draws
from kbert.masking.selection import choose_spans, choose_words, span_lengths


def rows_of_words(most_words=12):
    """(pieces of each word, their random order, budget) of some rows."""
    row = st.tuples(
        st.lists(st.integers(0, 5), min_size=most_words, max_size=most_words),
        st.permutations(range(most_words)),
        st.integers(1, 15),
    )
    return st.lists(row, min_size=1, max_size=4)


def greedy(pieces, order, budget):
    """The original's walk over the shuffled words, one at a time."""
    taken = [False] * len(pieces)
    for word in sorted(range(len(pieces)), key=lambda one: -order[one]):
        if pieces[word] and pieces[word] <= budget:
            taken[word] = True
            budget -= pieces[word]
    return taken


@given(rows_of_words())
@settings(max_examples=60, deadline=None)
def test_words_are_those_of_a_walk_that_skips_what_does_not_fit(rows):
    pieces, order, budget = (
        np.array(part, "int32") for part in zip(*rows, strict=True)
    )

    taken = choose_words(
        tf.constant(pieces), order=tf.constant(order), budget=tf.constant(budget)
    )
    assert taken.numpy().tolist() == [greedy(*row) for row in rows]


def walk_of_spans(pieces, groups, order, lengths, budget):
    """SpanBERT's loop, one word at a time, never cutting a word."""
    spans = [-1] * len(pieces)
    number = 0
    while True:
        starts = [
            word
            for word, size in enumerate(pieces)
            if spans[word] < 0 and 0 < size <= budget
        ]
        if not starts:
            return spans
        first = max(starts, key=lambda word: order[word])
        for word in range(first, min(first + lengths[first], len(pieces))):
            if groups[word] != groups[first] or not pieces[word]:
                break
            if spans[word] < 0:
                if pieces[word] > budget:
                    break
                spans[word], budget = number, budget - pieces[word]
        number += 1


@given(rows_of_words(), st.data())
@settings(max_examples=60, deadline=None)
def test_spans_are_those_of_a_walk_from_word_to_word(rows, data):
    pieces, order, budget = (
        np.array(part, "int32") for part in zip(*rows, strict=True)
    )
    # Words come without gaps; nothing comes after the last one.
    pieces = np.array([sorted(row, key=lambda size: size == 0) for row in pieces])
    more = st.lists(st.integers(1, 10), min_size=12, max_size=12)
    lengths = np.array([data.draw(more) for _ in rows], "int32")
    special = st.lists(st.integers(0, 1), min_size=12, max_size=12)
    groups = np.array([np.cumsum(data.draw(special)) for _ in rows], "int32")

    spans = choose_spans(
        tf.constant(pieces),
        groups=tf.constant(groups),
        order=tf.constant(order),
        lengths=tf.constant(lengths),
        budget=tf.constant(budget),
    )
    expected = [
        walk_of_spans(*row)
        for row in zip(pieces, groups, order, lengths, budget, strict=True)
    ]
    assert spans.numpy().tolist() == expected


def test_span_lengths_are_geometric_and_at_most_ten():
    # P(n) = 0.2 × 0.8^(n - 1), and what lies above 10 is drawn again.
    shares = 0.2 * 0.8 ** np.arange(10)
    bits = draws.draws(draws.key(1), 200_000)

    counts = np.bincount(span_lengths(bits).numpy(), minlength=11)
    assert counts[0] == 0
    assert len(counts) == 11
    expected = 200_000 * shares / shares.sum()
    assert stats.chisquare(counts[1:], expected).pvalue > 1e-3
    mean = (counts * np.arange(11)).sum() / 200_000
    assert abs(mean - 3.797) < 0.02  # the paper's 3.8


def test_the_highest_draw_is_a_span_of_ten():
    assert span_lengths(tf.constant([0, 2**31 - 1])).numpy().tolist() == [1, 10]
