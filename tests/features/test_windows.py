"""kbert/features/windows.py"""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given
from slow_features import contexts, ownable, pair_after_truncation, text_windows

from kbert.features.windows import Pieces, plan_context_windows, plan_windows

words_of_a_text = st.lists(st.integers(1, 12), max_size=25)
rooms = st.integers(1, 10)


def pieces_of(texts, pair_starts=None):
    """Texts given as the lengths of their words, in pieces."""
    counts = [sum(words) for words in texts]
    begins = [place == 0 for words in texts for word in words for place in range(word)]
    return Pieces(
        ids=np.arange(sum(counts), dtype=np.int32),
        text_splits=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
        begins_word=np.array(begins, bool),
        pair_starts=np.array(pair_starts or [-1] * len(texts), np.int64),
    )


def words_in(texts):
    """First and last-but-one piece of every word."""
    edges = np.cumsum([0, *(word for words in texts for word in words)]).tolist()
    return list(zip(edges[:-1], edges[1:], strict=True))


def rows(windows):
    columns = (windows.start, windows.stop, windows.own_start, windows.own_stop)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_texts_that_fit_stay_whole():
    windows = plan_windows(pieces_of([[1, 2], [], [4]]), max_length=6, stride=2)

    assert rows(windows) == [(0, 3, 0, 3), (3, 3, 3, 3), (3, 7, 3, 7)]
    assert windows.text.tolist() == [0, 1, 2]
    assert windows.lengths.tolist() == [5, 2, 6]


def test_a_long_text_is_cut_at_words_and_owned_by_the_better_context():
    # Words of 2, 2, 1, 3 pieces, that is 0-2, 2-4, 4-5, 5-8; room 6, stride 4. Windows
    # 0-5 (8 is too far) and 4-8. Only the first shows 2-4; the word at 4 has no
    # neighbour on one side in both, so the first keeps it.
    windows = plan_windows(pieces_of([[2, 2, 1, 3]]), max_length=8, stride=4)

    assert rows(windows) == [(0, 5, 0, 5), (4, 8, 5, 8)]


def test_a_stride_shorter_than_a_word_goes_to_the_next_word():
    windows = plan_windows(pieces_of([[2, 1]]), max_length=4, stride=1)

    assert rows(windows) == [(0, 2, 0, 2), (2, 3, 2, 3)]


def test_the_first_piece_of_a_word_longer_than_a_window_begins_its_window():
    # 0-1, then a word of 7 pieces; room 4, stride 2.
    windows = plan_windows(pieces_of([[1, 7]]), max_length=6, stride=2)

    assert rows(windows)[:2] == [(0, 1, 0, 1), (1, 5, 1, 4)]
    assert rows(windows)[-1][1] == 8


@given(words=words_of_a_text, room=rooms, data=st.data())
def test_every_piece_has_one_owner_and_every_word_its_largest_context(
    words, room, data
):
    stride = data.draw(st.integers(1, room))
    windows = rows(plan_windows(pieces_of([words]), max_length=room + 2, stride=stride))
    spans = text_windows(words, room, stride)
    owned = [piece for *_, first, last in windows for piece in range(first, last)]

    assert owned == list(range(sum(words)))
    for start, stop, first, _last in windows:
        assert (start, stop) in spans
        assert stop - start <= room
        assert start <= first
    for begin, end in ownable(words, room):
        (window,) = [one for one in windows if one[2] <= begin < one[3]]
        found = min(begin - window[0], window[1] - end)

        assert found == max(contexts((begin, end), spans))


@given(words=words_of_a_text, room=rooms, data=st.data())
def test_a_window_begins_and_ends_where_words_do(words, room, data):
    stride = data.draw(st.integers(1, room))
    edges = {0} | {end for _, end in words_in([words])}
    inside_long = {
        piece
        for begin, end in words_in([words])
        if end - begin > room
        for piece in range(begin + 1, end)
    }

    for start, stop, *_ in rows(
        plan_windows(pieces_of([words]), max_length=room + 2, stride=stride)
    ):
        assert start in edges | inside_long
        assert stop in edges | inside_long


def test_a_text_of_a_million_pieces_is_cut_in_little_memory():
    words = np.random.default_rng(0).integers(1, 5, 400_000).tolist()

    windows = plan_windows(pieces_of([words]), max_length=512, stride=255)

    owned = windows.own_stop - windows.own_start
    assert owned.sum() == sum(words)
    # A matrix of words and windows would take 12 GB.
    assert len(windows) > 3000


@given(
    first=st.integers(0, 20), second=st.integers(0, 20), max_length=st.integers(3, 30)
)
@example(first=5, second=5, max_length=3)
@example(first=0, second=20, max_length=10)
def test_a_long_pair_is_cut_as_the_original_does(first, second, max_length):
    pieces = pieces_of([[1] * (first + second)], pair_starts=[first])

    windows = plan_windows(pieces, max_length=max_length, stride=1)

    tokens_a, tokens_b = pair_after_truncation(
        range(first), range(first, first + second), max_length - 3
    )
    assert [*range(windows.start[0], windows.stop[0])] == tokens_a
    assert [*range(windows.pair_start[0], windows.pair_stop[0])] == tokens_b
    assert windows.lengths.tolist() == [len(tokens_a) + len(tokens_b) + 3]


def context_rows(texts, documents, *, room, targets=None):
    pieces = pieces_of(texts)
    targets = range(len(texts)) if targets is None else targets
    return plan_context_windows(
        pieces,
        np.array(documents, np.int64),
        targets=targets,
        max_length=room + 2,
        stride=room,
    )


def test_a_sentence_stands_in_the_middle_of_its_document():
    # Seven words of one piece, three sentences: 0 1 | 2 3 4 | 5 6.
    texts = [[1, 1], [1, 1, 1], [1, 1]]

    windows = context_rows(texts, [0, 0, 0], room=5)

    assert rows(windows) == [(0, 5, 0, 2), (1, 6, 2, 5), (2, 7, 5, 7)]


def test_context_never_crosses_a_document_nor_cuts_a_word():
    # Words of 2 pieces: 0-2 | 2-4 4-6 in one document, 6-8 in another.
    texts = [[2], [2, 2], [2]]

    windows = context_rows(texts, [3, 3, 4], room=5)

    assert rows(windows) == [(0, 4, 0, 2), (2, 6, 2, 6), (6, 8, 6, 8)]


@given(
    documents=st.lists(
        st.lists(st.lists(st.integers(1, 4), max_size=6), min_size=1, max_size=5),
        min_size=1,
        max_size=3,
    ),
    room=st.integers(4, 14),
)
def test_as_much_context_as_fits_stands_evenly_on_both_sides(documents, room):
    texts = [text for document in documents for text in document]
    numbers = [n for n, document in enumerate(documents) for _ in document]
    counts = [sum(text) for text in texts]
    starts = np.cumsum([0, *counts]).tolist()
    edges = sorted({0} | {end for _, end in words_in(texts)})

    windows = context_rows(texts, numbers, room=room)

    for start, stop, first, last, text in zip(
        windows.start.tolist(),
        windows.stop.tolist(),
        windows.own_start.tolist(),
        windows.own_stop.tolist(),
        windows.text.tolist(),
        strict=True,
    ):
        own = [place for place, n in enumerate(numbers) if n == numbers[text]]
        begin, end = starts[own[0]], starts[own[-1] + 1]
        assert begin <= start <= stop <= end
        assert stop - start <= room
        if counts[text] > room:
            continue
        assert (first, last) == (starts[text], starts[text + 1])
        assert start <= first
        assert last <= stop
        assert start in edges
        assert stop in edges
        # Each side stops at the document's end, or because its share is used up to
        # the next word; a side's share is half, and what the other cannot use.
        spare, before, after = room - (last - first), first - begin, end - last
        share_after = max(spare - spare // 2, spare - before)
        share_before = max(spare // 2, spare - after)
        longer_before = max([edge for edge in edges if edge < start], default=-1)
        longer_after = min([edge for edge in edges if edge > stop], default=10**9)
        assert start == begin or first - longer_before > share_before
        assert stop == end or longer_after - last > share_after


def test_only_targets_get_windows():
    windows = context_rows([[1], [1], [1]], [0, 0, 0], room=4, targets=range(1, 2))

    assert rows(windows) == [(0, 3, 1, 2)]
    assert windows.text.tolist() == [1]


def test_a_text_too_long_for_context_is_cut_inside_itself():
    windows = context_rows([[1], [1] * 7, [1]], [0, 0, 0], room=5)

    assert rows(windows) == [(0, 5, 0, 1), (1, 6, 1, 6), (6, 8, 6, 8), (4, 9, 8, 9)]


@pytest.mark.parametrize("texts", [[], [[]], [[], []]])
def test_texts_without_pieces_have_a_window_each(texts):
    windows = plan_windows(pieces_of(texts), max_length=5, stride=1)

    assert len(windows) == len(texts)
    assert windows.lengths.tolist() == [2] * len(texts)


def test_a_piece_has_its_place_after_cls_and_the_second_text_after_sep():
    pieces = pieces_of([[1] * 7], pair_starts=[4])
    windows = plan_windows(pieces, max_length=8, stride=1)  # 3 pieces, 2 pieces

    owners = np.zeros(7, np.int64)
    places = windows.places(np.arange(7), owners)

    assert places.tolist() == [1, 2, 3, -1, 5, 6, -1]
