"""kbert/features/chunks.py"""

import itertools
from unittest import mock

import hypothesis.strategies as st
import pytest
from hypothesis import given

from kbert.features import chunks as module
from kbert.features.chunks import ChunkLimits, chunks, estimated_rows
from kbert.readers import Item


def items_of(*documents):
    """Items of two words each, numbered, as many in each document as asked."""
    numbers = itertools.count()
    return [
        Item("a", n, document, words=("a", "b"))
        for document, count in enumerate(documents)
        for n in itertools.islice(numbers, count)
    ]


def cut(items, *, rows=10**9, context_items=0, skip=0):
    limits = ChunkLimits(unit="word", rows=rows, context_items=context_items)
    return [
        ([item.line for item in chunk.items], chunk.targets)
        for chunk in chunks(iter(items), limits, skip=skip)
    ]


def test_a_chunk_ends_with_the_item_that_brings_the_rows():
    assert cut(items_of(5), rows=3) == [
        ([0, 1], range(2)),
        ([2, 3], range(2)),
        ([4], range(1)),
    ]


def test_an_item_of_too_many_rows_is_a_chunk_by_itself():
    assert cut(items_of(2), rows=1) == [([0], range(1)), ([1], range(1))]


def test_neighbours_of_the_same_document_stand_on_both_sides():
    # Documents 0 1 2 and 3 4 5 6, two targets a chunk, two neighbours a side.
    assert cut(items_of(3, 4), rows=4, context_items=2) == [
        ([0, 1, 2], range(2)),
        ([0, 1, 2, 3, 4, 5], range(2, 4)),
        ([3, 4, 5, 6], range(1, 3)),
        ([4, 5, 6], range(2, 3)),
    ]


@given(
    documents=st.lists(st.integers(1, 6), max_size=5),
    rows=st.integers(1, 9),
    context_items=st.integers(0, 7),
)
def test_context_reaches_as_far_as_asked_over_any_number_of_chunks(
    documents, rows, context_items
):
    items = items_of(*documents)
    document = {item.line: item.document for item in items}
    targets = []
    for lines, own in cut(items, rows=rows, context_items=context_items):
        own_lines = [lines[place] for place in own]
        targets += own_lines
        wanted = [
            line
            for line in document
            if (
                own_lines[0] - context_items <= line < own_lines[0]
                and document[line] == document[own_lines[0]]
            )
            or line in own_lines
            or (
                own_lines[-1] < line <= own_lines[-1] + context_items
                and document[line] == document[own_lines[-1]]
            )
        ]

        assert lines == wanted
    assert targets == list(document)


@given(
    rows=st.integers(1, 9),
    characters=st.integers(1, 9),
    context_items=st.integers(0, 7),
    done=st.integers(0, 9),
)
def test_a_stream_of_which_whole_chunks_are_skipped_is_cut_alike(
    rows, characters, context_items, done
):
    items = items_of(4, 3, 6)
    with mock.patch.object(module, "CHARACTERS_PER_CHUNK", characters):
        every = cut(items, rows=rows, context_items=context_items)
        skipped = sum(len(targets) for _, targets in every[:done])

        rest = cut(items, rows=rows, context_items=context_items, skip=skipped)

    assert rest == every[done:]


def test_no_chunk_has_more_items_than_the_limit(monkeypatch):
    monkeypatch.setattr(module, "ITEMS_PER_CHUNK", 3)

    assert [len(targets) for _, targets in cut(items_of(8))] == [3, 3, 2]


@pytest.mark.parametrize(
    "content",
    [
        {"text": "x" * 50_000},
        {"text": "x", "text_pair": "x" * 49_999},
        {"words": ("x" * 20_000, "x" * 30_000)},
    ],
)
def test_a_chunk_of_long_items_is_cut(content):
    items = [Item("a", n, 0, **content) for n in range(1000)]
    limits = ChunkLimits(unit="sentence", rows=10**9, context_items=0)

    sizes = [len(chunk.targets) for chunk in chunks(items, limits, skip=0)]

    full = -(-module.CHARACTERS_PER_CHUNK // 50_000)
    assert full < 100
    assert set(sizes[:-1]) == {full}
    assert sum(sizes) == 1000


def test_nothing_is_read_beyond_the_context():
    stream = iter(items_of(9))
    limits = ChunkLimits(unit="word", rows=4, context_items=3)

    next(chunks(stream, limits, skip=0))

    assert next(stream).line == 5


@pytest.mark.parametrize(
    ("item", "unit", "rows"),
    [
        (Item("a", 1, 0, text="one two"), "sentence", 1),
        (Item("a", 1, 0, text="one  two\u00a0three"), "word", 3),
        (Item("a", 1, 0, text="one", text_pair="two three"), "word", 3),
        (Item("a", 1, 0, words=("one two", "")), "word", 2),
        (Item("a", 1, 0, text="12345678"), "token", 3),
        (Item("a", 1, 0, text="中国"), "token", 2),
        (Item("a", 1, 0, text="1234", text_pair=""), "token", 3),
    ],
)
def test_rows_are_estimated_by_unit(item, unit, rows):
    assert estimated_rows(item, unit) == rows
