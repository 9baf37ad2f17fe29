"""kbert/pretraining_data/rows.py"""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from original_pretraining_data import pairs_of_all, truncate

from kbert.pretraining_data.rows import Sentences, plan_rows

CORPORA = st.lists(
    st.lists(st.integers(1, 40), min_size=1, max_size=12), min_size=2, max_size=6
)


def sentences_of(documents):
    bounds = np.cumsum([0, *(size for one in documents for size in one)])
    starts = np.cumsum([0, *map(len, documents)])
    return Sentences(bounds.tolist(), starts.tolist())


def planned(documents, objective, length=20, *, short_rate=0.0, seed=0):
    return plan_rows(
        sentences_of(documents),
        objective,
        length=length,
        short_rate=short_rate,
        random=random.Random(seed),
    )


def owner_of(documents):
    """The document of each token."""
    return np.repeat(np.arange(len(documents)), [sum(one) for one in documents])


def tokens_of(*parts):
    return [token for begin, end in parts for token in range(begin, end)]


def split_parts(rows):
    """(A, B, label) of each row."""
    for (a0, a1, b0, b1), label in zip(rows.parts.tolist(), rows.labels, strict=True):
        yield (a0, a1), (b0, b1), int(label)


@given(CORPORA, st.integers(8, 60), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 9))
def test_pairs_for_nsp_keep_every_promise(documents, length, short_rate, seed):
    rows = planned(documents, "nsp", length, short_rate=short_rate, seed=seed)
    owner = owner_of(documents)

    own = []
    for a, b, is_random in split_parts(rows):
        assert a[0] < a[1]
        assert b[0] < b[1]
        assert a[1] - a[0] + b[1] - b[0] <= length - 3
        assert len(set(owner[a[0] : a[1]])) == len(set(owner[b[0] : b[1]])) == 1
        assert (owner[a[0]] != owner[b[0]]) == is_random
        own += tokens_of(a) if is_random else tokens_of(a, b)
        if not is_random:
            assert a[1] <= b[0]
            # Only truncation can come between them, and it fills the row.
            is_full = a[1] - a[0] + b[1] - b[0] == length - 3
            assert a[1] == b[0] or is_full
    assert len(own) == len(set(own))
    assert len(own) + rows.truncated_tokens == len(owner)
    assert rows.dropped_tokens == 0


@given(CORPORA, st.integers(8, 60), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 9))
def test_pairs_for_sop_keep_every_promise(documents, length, short_rate, seed):
    rows = planned(documents, "sop", length, short_rate=short_rate, seed=seed)
    owner = owner_of(documents)

    own = []
    for a, b, is_swapped in split_parts(rows):
        first, second = (b, a) if is_swapped else (a, b)
        assert first[0] < first[1] <= second[0] < second[1]
        assert owner[first[0]] == owner[second[1] - 1]
        size = first[1] - first[0] + second[1] - second[0]
        assert size <= length - 3
        assert first[1] == second[0] or size == length - 3
        own += tokens_of(first, second)
    assert len(own) == len(set(own))
    alone = sum(sum(one) == 1 for one in documents)
    assert rows.dropped_tokens == alone
    assert len(own) + rows.truncated_tokens + alone == len(owner)


@given(CORPORA, st.integers(8, 60), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 9))
def test_rows_of_one_part_hold_every_token_once(documents, length, short_rate, seed):
    rows = planned(documents, "none", length, short_rate=short_rate, seed=seed)
    owner = owner_of(documents)

    for (begin, end), b, label in split_parts(rows):
        assert 0 < end - begin <= length - 2
        assert owner[begin] == owner[end - 1]
        assert b == (0, 0)
        assert label == 0
    own = tokens_of(*(a for a, _, _ in split_parts(rows)))
    assert own == list(range(len(owner)))
    assert rows.truncated_tokens == rows.dropped_tokens == 0


def test_rows_of_one_part_are_filled_with_whole_sentences():
    rows = planned([[3, 4, 2, 5], [1]], "none", 10)  # room for 8

    assert rows.parts[:, :2].tolist() == [[0, 7], [7, 14], [14, 15]]


def test_a_sentence_longer_than_a_row_goes_on_in_the_next():
    rows = planned([[2, 19, 3], [1]], "none", 10)

    assert rows.parts[:, :2].tolist() == [[0, 2], [2, 10], [10, 18], [18, 24], [24, 25]]


def test_two_documents_of_one_sentence_are_each_others_random_next():
    rows = planned([[4], [6]], "nsp")

    assert rows.parts.tolist() == [[0, 4, 4, 10], [4, 10, 0, 4]]
    assert rows.labels.tolist() == [1, 1]


def test_what_follows_a_random_next_is_the_rest_of_the_chunk():
    documents = [[2, 2, 2, 2], [50]]
    rows = next(
        rows
        for rows in (planned(documents, "nsp", 11, seed=seed) for seed in range(99))
        if rows.labels[0] and rows.parts[0, 1] == 4
    )

    assert rows.parts[1, 0] == 4


def test_a_sentence_alone_is_cut_in_two_for_sop():
    rows = planned([[7], [9]], "sop")

    for a, b, is_swapped in split_parts(rows):
        first, second = (b, a) if is_swapped else (a, b)
        assert first[1] == second[0]


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_truncation_leaves_the_sizes_that_taking_one_by_one_leaves(
    size_a, size_b, seed
):
    (parts,) = planned([[size_a], [size_b]], "nsp", 20, seed=seed).parts[:1].tolist()
    first, second = [0] * size_a, [0] * size_b
    truncate(first, second, 17, random.Random(0))

    assert [parts[1] - parts[0], parts[3] - parts[2]] == [len(first), len(second)]


def test_truncation_takes_from_front_and_back_alike():
    rows = planned([[1000], [1000]] * 200, "nsp", 515)
    cut_in_front = rows.parts[:, 0] % 1000

    # Of 744 tokens one half, with a variance of a quarter each; over 400 rows.
    assert abs(cut_in_front.mean() - 372) < 4 * np.sqrt(744 / 4 / 400)


@pytest.fixture(scope="module")
def both():
    """Statistics of our pairs and of the original's, over the same documents."""
    generator = np.random.default_rng(3)
    documents = [
        generator.geometric(0.05, generator.integers(1, 60)).tolist()
        for _ in range(1500)
    ]
    ours = planned(documents, "nsp", 128, short_rate=0.1, seed=1)
    a, b = ours.parts[:, 1] - ours.parts[:, 0], ours.parts[:, 3] - ours.parts[:, 2]
    tokens = [[[0] * size for size in one] for one in documents]
    pairs = pairs_of_all(tokens, 128, 0.1, 2)
    theirs = np.array([[len(one), len(two), label] for one, two, label in pairs])
    return np.stack([a, b, ours.labels], axis=1), theirs


def assert_close(ours, theirs):
    """Within four standard errors."""
    spread = np.sqrt(ours.var() / len(ours) + theirs.var() / len(theirs))
    assert abs(ours.mean() - theirs.mean()) < 4 * spread


def test_as_often_as_in_the_original_is_b_from_elsewhere(both):
    ours, theirs = both

    assert_close(ours[:, 2], theirs[:, 2])
    assert 0.5 < ours[:, 2].mean() < 0.65


@pytest.mark.parametrize("part", [0, 1])
def test_parts_are_as_long_as_in_the_original(both, part):
    ours, theirs = both

    for label in (0, 1):
        assert_close(
            ours[ours[:, 2] == label, part], theirs[theirs[:, 2] == label, part]
        )


@pytest.mark.parametrize("size", [10, 60, 120, 124])
def test_as_many_rows_as_in_the_original_are_short(both, size):
    ours, theirs = both

    assert_close(
        (ours[:, :2].sum(axis=1) <= size) * 1.0,
        (theirs[:, :2].sum(axis=1) <= size) * 1.0,
    )


def test_there_are_as_many_rows_as_in_the_original(both):
    ours, theirs = both

    assert len(ours) == pytest.approx(len(theirs), rel=0.05)
