"""Windows → batches of near-equal length under a token budget, ready for the graph."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from .rows import Rows
from .splits import Ints, ranges
from .windows import Pieces, Windows

# oneDNN prepares for each shape and remembers about a thousand. Short lengths are taken
# as they are, for padding would cost more; long ones are rounded up to a multiple.
_ROUNDED_FROM = 64
_LENGTH_STEP = 8


@dataclasses.dataclass(frozen=True)
class Batch:
    """What the frozen graph reads, int32, and where its output goes.

    Args:
        token_ids: ``[B, T]``, with special tokens and padding.
        lengths: ``[B]``, tokens of each window.
        pair_places: ``[B]``, where the second text of a pair begins, else ``T``.
        positions: ``[P]``, the vectors asked for, in the flat ``[B·T]``.
        rows: ``[P]``, the row of the batch that each belongs to, from 0, ascending.
        row_numbers: int64 ``[R]``, the rows of the chunk that the output fills.
    """

    token_ids: np.ndarray
    lengths: np.ndarray
    pair_places: np.ndarray
    positions: np.ndarray
    rows: np.ndarray
    row_numbers: Ints


@dataclasses.dataclass(frozen=True)
class SpecialIds:
    """Ids of the pieces that frame a window."""

    cls: int
    sep: int
    pad: int


def batches(
    pieces: Pieces,
    windows: Windows,
    rows: Rows,
    *,
    special: SpecialIds,
    token_budget: int,
) -> Iterator[Batch]:
    """Sort windows by length and cut them into batches.

    Args:
        pieces, windows, rows: of one chunk. Windows without a row are left out.
        special: ids of [CLS], [SEP] and [PAD].
        token_budget: most tokens in a batch, padding included; one window always fits.
    """
    row_edges = np.searchsorted(rows.window, np.arange(len(windows) + 1))
    needed = np.flatnonzero(np.diff(row_edges))
    lengths = windows.lengths[needed]
    order = needed[np.argsort(-lengths, kind="stable")]
    done = 0
    while done < len(order):
        width = _width(int(windows.lengths[order[done]]))
        chosen = order[done : done + max(1, token_budget // width)]
        done += len(chosen)
        row_numbers, row_windows = ranges(row_edges[chosen], row_edges[chosen + 1])
        entries, entry_rows = ranges(
            rows.splits[row_numbers], rows.splits[row_numbers + 1]
        )
        paired = windows.paired[chosen] == 1
        pair_places = np.where(paired, windows.pair_places[chosen], width)
        positions = row_windows[entry_rows] * width + rows.places[entries]
        yield Batch(
            token_ids=_token_ids(pieces, windows, special, chosen, width),
            lengths=windows.lengths[chosen].astype(np.int32),
            pair_places=pair_places.astype(np.int32),
            positions=positions.astype(np.int32),
            rows=entry_rows.astype(np.int32),
            row_numbers=row_numbers,
        )


def _width(longest: int) -> int:
    if longest <= _ROUNDED_FROM:
        return longest
    return -(-longest // _LENGTH_STEP) * _LENGTH_STEP


def _token_ids(
    pieces: Pieces, windows: Windows, special: SpecialIds, chosen: Ints, width: int
) -> np.ndarray:
    def column(values: Ints) -> Ints:
        return values[chosen][:, None]  # [B, 1]

    place = np.arange(width)[None]  # [1, T]
    lengths, pair_places = column(windows.lengths), column(windows.pair_places)
    first = column(windows.start) + place - 1
    second = column(windows.pair_start) + place - pair_places
    source = np.where(place < pair_places, first, second)
    is_text = (place > 0) & (place < lengths - 1) & (place != pair_places - 1)
    token_ids = np.full(source.shape, special.pad, np.int32)
    token_ids[is_text] = pieces.ids[source[is_text]]
    token_ids[:, 0] = special.cls
    is_sep = (place == lengths - 1) | (place == pair_places - 1)
    return np.where(is_sep, special.sep, token_ids)
