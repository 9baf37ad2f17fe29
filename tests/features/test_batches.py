"""kbert/features/batches.py"""

import numpy as np
import pytest

from kbert.features.batches import SpecialIds, batches
from kbert.features.rows import Rows
from kbert.features.windows import Pieces, plan_windows

SPECIAL = SpecialIds(cls=101, sep=102, pad=0)


def pieces_of(*lengths, pair_starts=None):
    """Texts of one-piece words; the ids are 1000, 1001, …"""
    splits = np.cumsum([0, *lengths])
    return Pieces(
        ids=np.arange(1000, 1000 + splits[-1], dtype=np.int32),
        text_splits=splits,
        begins_word=np.ones(splits[-1], bool),
        pair_starts=np.array(pair_starts or [-1] * len(lengths)),
    )


def first_places(windows):
    """Of every window that holds a piece, place 1 is a row."""
    which = np.flatnonzero(windows.stop > windows.start)
    return Rows(
        splits=np.arange(len(which) + 1),
        places=np.ones(len(which), np.int64),
        window=which,
        unit=which,
        status=np.zeros(len(windows), np.uint8),
    )


def made(pieces, *, budget, max_length=50):
    windows = plan_windows(pieces, max_length=max_length, stride=max_length - 2)
    rows = first_places(windows)
    return list(batches(pieces, windows, rows, special=SPECIAL, token_budget=budget))


def test_a_batch_holds_what_the_encoder_reads():
    (batch,) = made(pieces_of(1, 3), budget=100)

    assert batch.token_ids.tolist() == [
        [101, 1001, 1002, 1003, 102],
        [101, 1000, 102, 0, 0],
    ]
    assert batch.lengths.tolist() == [5, 3]
    assert batch.pair_places.tolist() == [5, 5]  # no second text: behind the end
    assert batch.positions.tolist() == [1, 6]
    assert batch.rows.tolist() == [0, 1]
    assert batch.row_numbers.tolist() == [1, 0]
    for array in (batch.token_ids, batch.lengths, batch.pair_places, batch.positions):
        assert array.dtype == np.int32


def test_a_pair_has_a_separator_in_the_middle():
    (batch,) = made(pieces_of(5, 1, pair_starts=[2, -1]), budget=100)

    assert batch.token_ids.tolist() == [
        [101, 1000, 1001, 102, 1002, 1003, 1004, 102],
        [101, 1005, 102, 0, 0, 0, 0, 0],
    ]
    assert batch.pair_places.tolist() == [4, 8]


def test_a_pair_that_was_cut_has_the_begin_of_both_texts():
    (batch,) = made(pieces_of(9, pair_starts=[5]), budget=100, max_length=7)

    assert batch.token_ids.tolist() == [[101, 1000, 1001, 102, 1005, 1006, 102]]


@pytest.mark.parametrize("budget", [1, 30, 64, 1000])
def test_batches_keep_to_the_budget_and_leave_nothing_out(budget):
    lengths = np.random.default_rng(0).integers(0, 40, 50).tolist()

    found = made(pieces_of(*lengths), budget=budget)

    for batch in found:
        assert batch.token_ids.size <= budget or len(batch.token_ids) == 1
        assert batch.token_ids.shape[1] >= batch.lengths.max()
    numbers = np.concatenate([batch.row_numbers for batch in found])
    assert sorted(numbers.tolist()) == list(range(np.count_nonzero(lengths)))
    tokens = sum(int(batch.lengths.sum()) for batch in found)
    assert tokens == sum(length + 2 for length in lengths if length)


def test_a_window_without_a_row_is_not_encoded():
    assert made(pieces_of(0, 0), budget=100) == []
