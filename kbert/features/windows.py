"""Pieces of many texts → windows that fit the model, and who answers for which piece.

All texts of a chunk stand one after the other in flat arrays. A window is a slice of
them (two, for a pair), so a text in its document context is only a wider slice.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from .splits import Ints, ranges


@dataclasses.dataclass(frozen=True)
class Pieces:
    """Word pieces of consecutive texts, no special tokens.

    Args:
        ids: int32 ``[P]``.
        text_splits: int64 ``[texts + 1]``; text *i* owns pieces
            ``text_splits[i]:text_splits[i + 1]``.
        begins_word: bool ``[P]``, true where a word begins; windows begin there.
        pair_starts: int64 ``[texts]``, the piece at which the second text of a pair
            begins; −1 for a text that is no pair.
    """

    ids: np.ndarray
    text_splits: Ints
    begins_word: np.ndarray
    pair_starts: Ints

    def word_edges(self, first: int, last: int) -> Ints:
        """Where words begin in ``first:last``, and ``last``."""
        return np.append(first + np.flatnonzero(self.begins_word[first:last]), last)


@dataclasses.dataclass(frozen=True)
class Windows:
    """Slices of the pieces, in the order of what they own; all int64 ``[W]``.

    Args:
        start, stop: the pieces that the encoder sees, of a pair the first text's.
        pair_start, pair_stop: the second text's; equal to ``stop`` if ``paired`` is 0.
        own_start, own_stop: the pieces whose vectors are taken from this window; over
            all windows they cover the pieces of the texts, each one once.
        text: the text that it serves.
        paired: 1 for a pair, which has a third special token, else 0.
    """

    start: Ints
    stop: Ints
    pair_start: Ints
    pair_stop: Ints
    own_start: Ints
    own_stop: Ints
    text: Ints
    paired: Ints

    def __len__(self) -> int:
        return len(self.start)

    @property
    def lengths(self) -> Ints:
        """Tokens of each window, with its special tokens."""
        pair = self.pair_stop - self.pair_start
        return self.stop - self.start + pair + 2 + self.paired

    @property
    def pair_places(self) -> Ints:
        """Place, [CLS] counted, where the second text begins (its [SEP] is before)."""
        return self.stop - self.start + 2

    def owners(self, pieces: Ints) -> Ints:
        """The window that owns each piece."""
        return np.searchsorted(self.own_start, pieces, side="right") - 1

    def places(self, pieces: Ints, owners: Ints) -> Ints:
        """Place of each piece in its window, [CLS] counted; −1 where it was cut off."""
        first = pieces - self.start[owners]
        second = pieces - self.pair_start[owners]
        in_first = pieces < self.stop[owners]
        in_second = (second >= 0) & (pieces < self.pair_stop[owners])
        place = np.where(in_first, first + 1, self.pair_places[owners] + second)
        return np.where(in_first | in_second, place, -1)


_Row = tuple[int, int, int, int, int, int, int, int]


def plan_windows(pieces: Pieces, *, max_length: int, stride: int) -> Windows:
    """Cut texts that are too long; leave the others whole.

    Args:
        pieces: of the texts.
        max_length: most tokens in a window, special ones included.
        stride: pieces from one start to the next.

    Returns:
        Windows that begin and end where words do, unless one word is longer than a
        window. Each word is owned by the window in which its smaller context is
        largest (the "max context" rule of google-research/bert ``run_squad.py``); of
        a word longer than a window, each piece is.
        A pair that is too long loses the last pieces of its longer text.
    """
    whole = _whole(pieces)
    too_long = whole.lengths > max_length
    if not too_long.any():
        return whole
    rows: list[_Row] = []
    columns = zip(*(column.tolist() for column in _columns(whole)), strict=True)
    for row, cut in zip(columns, too_long.tolist(), strict=True):
        if not cut:
            rows.append(row)
        elif row[-1]:
            rows.append(_cut_pair(row, max_length - 3))
        else:
            rows += _cut_text(pieces, row[0], row[1], row[6], max_length - 2, stride)
    return _from_rows(rows)


def plan_context_windows(
    pieces: Pieces, documents: Ints, *, targets: range, max_length: int, stride: int
) -> Windows:
    """Put each text in the middle of as much of its own document as fits.

    Args:
        pieces: of the texts and of their neighbours; no pairs.
        documents: int64 ``[texts]``, the document of each; equal ones are neighbours.
        targets: the texts that need windows; the others are context only.
        max_length: most tokens in a window, special ones included.
        stride: for texts that are too long to have any context.

    Returns:
        Windows that begin and end where words do. Where the document ends on one side,
        the other side gets the room.
    """
    room = max_length - 2
    boundaries = pieces.word_edges(0, len(pieces.ids))
    changes = np.flatnonzero(np.diff(documents)) + 1
    edges = pieces.text_splits[np.concatenate([[0], changes, [len(documents)]])]
    rows: list[_Row] = []
    for text in targets:
        first, last = pieces.text_splits[text : text + 2].tolist()
        if last - first > room:
            rows += _cut_text(pieces, first, last, text, room, stride)
            continue
        document = int(np.searchsorted(changes, text, side="right"))
        begin, end = edges[document : document + 2].tolist()
        start, stop = _middle(first, last, begin, end, room)
        # A word cut in two at the rim is left out: the encoder never saw such pieces.
        start = int(boundaries[np.searchsorted(boundaries, start)])
        stop = int(boundaries[np.searchsorted(boundaries, stop, side="right") - 1])
        stop = max(stop, last)
        rows.append((start, stop, stop, stop, first, last, text, 0))
    return _from_rows(rows)


def _whole(pieces: Pieces) -> Windows:
    """One window for each text, whatever its length."""
    first, last = pieces.text_splits[:-1], pieces.text_splits[1:]
    paired = pieces.pair_starts >= 0
    return Windows(
        start=first,
        stop=np.where(paired, pieces.pair_starts, last),
        pair_start=np.where(paired, pieces.pair_starts, last),
        pair_stop=last,
        own_start=first,
        own_stop=last,
        text=np.arange(len(first)),
        paired=paired.astype(np.int64),
    )


def _columns(windows: Windows) -> list[Ints]:
    return [getattr(windows, field.name) for field in dataclasses.fields(windows)]


def _from_rows(rows: list[_Row]) -> Windows:
    return Windows(*np.array(rows, np.int64).reshape(-1, 8).T)


def _cut_pair(row: _Row, room: int) -> _Row:
    """Take pieces from the end of the longer text, of the second one if they tie."""
    start, stop, pair_start, pair_stop, *rest = row
    first, second = stop - start, pair_stop - pair_start
    first, second = (
        min(first, max(room - second, (room + 1) // 2)),
        min(second, max(room - first, room // 2)),
    )
    return (start, start + first, pair_start, pair_start + second, *rest)


def _cut_text(
    pieces: Pieces, first: int, last: int, text: int, room: int, stride: int
) -> list[_Row]:
    """Overlapping windows over one long text."""
    words = pieces.word_edges(first, last)
    spans = list(_spans(words, room, stride))
    starts, stops = np.array(spans, np.int64).T
    edges = _ownable(words, room)
    owner = _best_windows(edges[:-1], edges[1:], starts, stops)
    own = edges[np.searchsorted(owner, np.arange(len(spans) + 1))].tolist()
    return [
        (start, stop, stop, stop, own[number], own[number + 1], text, 0)
        for number, (start, stop) in enumerate(spans)
        if own[number] < own[number + 1]
    ]


def _spans(words: Ints, room: int, stride: int) -> Iterator[tuple[int, int]]:
    """Starts and stops of windows over a text, on word boundaries where possible."""
    start, end = int(words[0]), int(words[-1])
    while True:
        stop = _boundary(words, start + room, after=start)
        yield start, stop
        if stop >= end:
            return
        following = int(words[np.searchsorted(words, start, side="right")])
        step = following if start + stride < following <= stop else start + stride
        start = _boundary(words, step, after=start)


def _boundary(words: Ints, piece: int, *, after: int) -> int:
    """The last word boundary in ``(after, piece]``, or ``piece`` if there is none."""
    boundary = int(words[np.searchsorted(words, piece, side="right") - 1])
    return boundary if boundary > after else piece


def _ownable(words: Ints, room: int) -> Ints:
    """Edges of what one window has to own: words, or pieces of a word too long."""
    too_long = np.diff(words) > room
    inside, _ = ranges(words[:-1][too_long], words[1:][too_long])
    return np.union1d(words, inside)


def _best_windows(begin: Ints, end: Ints, starts: Ints, stops: Ints) -> Ints:
    """For each ``begin:end`` the window of its largest smaller context; ascending.

    From window to window the context before a word shrinks and the one after it grows,
    so the best one is beside the place where the centres pass each other.
    """
    right = np.searchsorted(starts + stops, begin + end)
    left = np.maximum(right - 1, 0)
    right = np.minimum(right, len(starts) - 1)

    def context(window: Ints) -> Ints:
        return np.minimum(begin - starts[window], stops[window] - end)

    return np.where(context(right) > context(left), right, left)


def _middle(first: int, last: int, begin: int, end: int, room: int) -> tuple[int, int]:
    """Widen ``first:last`` evenly to ``room`` pieces, inside ``begin:end``."""
    spare = room - (last - first)
    before = min(first - begin, spare // 2)
    after = min(end - last, spare - before)
    before = min(first - begin, spare - after)
    return first - before, last + after
