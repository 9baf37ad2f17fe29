"""Windows → which vectors make up the row of each unit; several windows → one row."""

import dataclasses

import numpy as np

from .splits import Ints, cumulated, ranges
from .units import TRUNCATED, Units
from .windows import Windows


@dataclasses.dataclass(frozen=True)
class Rows:
    """What the encoder's vectors are pooled to; a unit may have none, or several.

    Args:
        splits: int64 ``[R + 1]``; row *r* is made of
            ``places[splits[r]:splits[r + 1]]``, at least one.
        places: int64 ``[entries]``, place in the window; 0 is [CLS].
        window: int64 ``[R]``, window of each row; ascending.
        unit: int64 ``[R]``, unit that the row is, or is a part of.
        status: uint8 ``[units]``, what is known after cutting into windows.
    """

    splits: Ints
    places: Ints
    window: Ints
    unit: Ints
    status: np.ndarray


def unit_rows(units: Units, windows: Windows, *, keep: str) -> Rows:
    """One row for each token or word that has a piece.

    Args:
        units: tokens or words.
        windows: of their texts.
        keep: which pieces of a unit count: ``first``, ``last`` or ``all``; of a word
            that is longer than its window, of those that the window shows.
    """
    owned = _units_with_windows(units, windows)
    first, last = units.splits[owned], units.splits[owned + 1]
    pieces, of = ranges(first, last)
    owner = windows.owners(first)
    places = windows.places(pieces, owner[of])
    shown = places >= 0
    counts = np.bincount(of[shown], minlength=len(owned))
    status = units.status.copy()
    status[owned[counts < last - first]] = TRUNCATED
    filled = np.flatnonzero(counts)
    splits, places = cumulated(counts[filled]), places[shown]
    if keep != "all":
        places = places[splits[:-1] if keep == "first" else splits[1:] - 1]
        splits = np.arange(len(filled) + 1)
    return Rows(splits, places, owner[filled], owned[filled], status)


def sentence_rows(
    units: Units, windows: Windows, *, cls_only: bool, in_context: bool
) -> Rows:
    """One row for each window of each text.

    Args:
        units: sentences.
        windows: of them.
        cls_only: whether [CLS] alone stands for the window. Otherwise all pieces that
            it owns do, with [CLS] and [SEP].
        in_context: whether most of a window is context: then [CLS] and [SEP], which
            belong to all of it, are left out, unless the text has no piece.
    """
    numbers, lengths = np.arange(len(windows)), windows.lengths
    status = units.status.copy()
    seen = windows.stop - windows.start + windows.pair_stop - windows.pair_start
    pair_cut = (windows.paired == 1) & (seen < windows.own_stop - windows.own_start)
    status[windows.text[pair_cut]] = TRUNCATED
    if cls_only:
        splits, places = np.arange(len(windows) + 1), np.zeros(len(windows), np.int64)
        return Rows(splits, places, numbers, windows.text, status)
    places, of = ranges(np.zeros_like(lengths), lengths)
    piece = windows.start[of] + places - 1
    special = (places == 0) | (places == lengths[of] - 1)
    own = (piece >= windows.own_start[of]) & (piece < windows.own_stop[of]) & ~special
    if in_context:
        special &= (windows.own_start == windows.own_stop)[of]
    kept = own | special | (windows.paired[of] == 1)
    splits = cumulated(np.bincount(of[kept], minlength=len(windows)))
    return Rows(splits, places[kept], numbers, windows.text, status)


def merge_rows(values: np.ndarray, rows: Rows, *, maximum: bool) -> np.ndarray:
    """One vector a unit from those of its rows; zeros where there is none.

    Args:
        values: float32 ``[R, …]``.
        rows: what they are.
        maximum: whether to take the greatest; otherwise the mean, each row weighted
            with the number of vectors that it is made of.

    Returns:
        float32 ``[units, …]``.
    """
    num_units = len(rows.status)
    merged = np.zeros((num_units, *values.shape[1:]), np.float32)
    if len(np.unique(rows.unit)) == len(rows.unit):
        merged[rows.unit] = values
    elif maximum:
        merged[rows.unit] = -np.inf
        np.maximum.at(merged, rows.unit, values)
    else:
        weights = np.diff(rows.splits)
        total = np.bincount(rows.unit, weights, minlength=num_units)
        share = (weights / total[rows.unit]).astype(np.float32)
        weighted = values * share.reshape(-1, *[1] * (values.ndim - 1))
        np.add.at(merged, rows.unit, weighted)
    return merged


def _units_with_windows(units: Units, windows: Windows) -> Ints:
    if not len(windows):
        return np.zeros(0, np.int64)
    first, last = windows.text[[0, -1]]
    return np.arange(units.text_splits[first], units.text_splits[last + 1])
