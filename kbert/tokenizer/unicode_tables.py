"""The frozen Unicode data of ``unicode_14.npz`` → tables to look code points up in.

The file makes ids independent of the Python, RE2 and ICU that happen to be installed;
``unicode_generator`` makes it.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

DATA_FILE = Path(__file__).with_name("unicode_14.npz")
CODE_POINTS = 0x110000
PAGE = 256

# Bits of a code point's class.
DELETED = 1  # NUL, U+FFFD and categories Cc and Cf, but for tab, newline and return
SPACE = 2  # what the original turns into a space, or what str.split() splits at
IDEOGRAPH = 4  # the "CJK" ranges of the original, which stand alone
PUNCTUATION = 8  # ASCII symbols and categories P*, which stand alone
NONSPACING = 16  # category Mn: the accents that are stripped
CASED = 32  # cased and not ignorable: decides about the final sigma
CASE_IGNORABLE = 64  # skipped when looking for a cased neighbour
CLASS_BITS = 7  # in the data file, the combining class stands above them

# Bits that depend on the folding, and numbers beside them, as in the graph.
RESIZED = 1 << 7  # the replacement is not one code point
COMBINING_SHIFT = 8  # rank of the combining class, 6 bits; 0 is no mark
COMBINING_MASK = 0x3F
ORDERED = 1 << 14  # holds a mark that is not stripped, whose place NFD may change
RECORD_SHIFT = 16  # number of the replacement, 15 bits
STAYS, MARK = 0, 1  # replacements: the code point itself; nothing, but itself in full


@dataclasses.dataclass(frozen=True)
class FoldingTables:
    """What the graph looks up for each code point, for one choice of folding.

    Args:
        page_index: int32 ``[4352]``, the page of code point ``c`` is at ``c // 256``.
        pages: int32 ``[pages * 256]``, bits and numbers of each code point.
        starts: int32 ``[records]``, where a replacement begins in ``values``.
        lengths: int32 ``[records]``, its code points.
        full_starts: as ``starts``, for replacements with their accents.
        full_lengths: as ``lengths``, with accents.
        values: int32, the replacements one after the other.
        lowercase: whether replacements are lower-cased.
        strip_accents: whether they are decomposed and lose their accents.
    """

    page_index: np.ndarray
    pages: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    full_starts: np.ndarray
    full_lengths: np.ndarray
    values: np.ndarray
    lowercase: bool
    strip_accents: bool


def folding_tables(*, lowercase: bool, strip_accents: bool) -> FoldingTables:
    """Read the frozen data and compose the tables of one choice of folding.

    Args:
        lowercase: replace by ``str.lower()``.
        strip_accents: then replace by the canonical decomposition (NFD), and delete
            non-spacing marks.
    """
    with np.load(DATA_FILE, allow_pickle=False) as data:
        runs = np.diff(data["class_starts"], append=CODE_POINTS)
        values = data["class_values"].astype(np.int32)
        lower = _mapping(data, "lower") if lowercase else {}
        decomposed = _mapping(data, "decomposed") if strip_accents else {}
    bits = np.repeat(values & ((1 << CLASS_BITS) - 1), runs)
    ranks = np.repeat(np.unique(values >> CLASS_BITS, return_inverse=True)[1], runs)
    accent = (bits & NONSPACING > 0) & strip_accents
    moving = (ranks > 0) & ~accent & strip_accents
    full = _compose(lower, decomposed)
    kept = [[code for code in parts if not accent[code]] for parts in full.values()]

    words = bits | ranks.astype(np.int32) << COMBINING_SHIFT
    words |= np.where(accent, RESIZED | MARK << RECORD_SHIFT, 0)
    words |= np.where(moving, ORDERED, 0)
    for record, (code, parts) in enumerate(zip(full, kept, strict=True), MARK + 1):
        word = int(bits[code]) | record << RECORD_SHIFT
        word |= RESIZED if len(parts) != 1 else 0
        word |= ORDERED if any(moving[part] for part in parts) else 0
        words[code] = word
    page_index, pages = _pages(words)
    starts, lengths, short = _concatenated([[0], [], *kept])
    full_starts, full_lengths, long = _concatenated([[0], [0], *full.values()])
    return FoldingTables(
        page_index=page_index,
        pages=pages,
        starts=starts,
        lengths=lengths,
        full_starts=full_starts + len(short),
        full_lengths=full_lengths,
        values=np.concatenate([short, long]),
        lowercase=lowercase,
        strip_accents=strip_accents,
    )


def _compose(
    lower: dict[int, list[int]], decomposed: dict[int, list[int]]
) -> dict[int, list[int]]:
    """What each code point that changes becomes when both mappings are applied."""
    return {
        code: [
            part
            for lowered in lower.get(code, [code])
            for part in decomposed.get(lowered, [lowered])
        ]
        for code in sorted({*lower, *decomposed})
    }


def _mapping(data: Any, name: str) -> dict[int, list[int]]:
    ends = np.cumsum(data[f"{name}_lengths"])[:-1]
    parts = np.split(data[f"{name}_values"], ends)
    return {
        code: part.tolist()
        for code, part in zip(data[f"{name}_codes"].tolist(), parts, strict=True)
    }


def _pages(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int32 page of each 256 code points, and the different pages one by one."""
    numbers: dict[bytes, int] = {}
    index = [
        numbers.setdefault(page.tobytes(), len(numbers))
        for page in words.reshape(-1, PAGE)
    ]
    return np.array(index, np.int32), np.frombuffer(b"".join(numbers), words.dtype)


def _concatenated(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """int32 start of each row, length of each row, and all values."""
    lengths = np.array([len(row) for row in rows], np.int32)
    values = np.array([value for row in rows for value in row], np.int32)
    return np.cumsum(lengths, dtype=np.int32) - lengths, lengths, values
