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

# Bits of a code point's class; its combining class stands above them.
DELETED = 1  # NUL, U+FFFD and categories Cc and Cf, but for tab, newline and return
SPACE = 2  # what the original turns into a space, or what str.split() splits at
IDEOGRAPH = 4  # the "CJK" ranges of the original, which stand alone
PUNCTUATION = 8  # ASCII symbols and categories P*, which stand alone
NONSPACING = 16  # category Mn: the accents that are stripped
CASED = 32  # cased and not ignorable: decides about the final sigma
CASE_IGNORABLE = 64  # skipped when looking for a cased neighbour
COMBINING_SHIFT = 8
RECORD_SHIFT = 16


@dataclasses.dataclass(frozen=True)
class FoldingTables:
    """What the graph looks up for each code point, for one choice of folding.

    Args:
        page_index: int32 ``[4352]``, the page of code point ``c`` is at ``c // 256``.
        pages: int32 ``[pages * 256]``: class bits, combining class at
            ``COMBINING_SHIFT``, number of the replacement at ``RECORD_SHIFT`` (0: the
            code point stays as it is).
        starts: int32 ``[records]``, where a replacement begins in ``values``.
        lengths: int32 ``[records]``, its code points; 1 for number 0.
        values: int32, the replacements one after the other.
        lowercase: whether replacements are lower-cased.
        strip_accents: whether they are decomposed, so that marks can be deleted.
    """

    page_index: np.ndarray
    pages: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    values: np.ndarray
    lowercase: bool
    strip_accents: bool


def folding_tables(*, lowercase: bool, strip_accents: bool) -> FoldingTables:
    """Read the frozen data and compose the tables of one choice of folding.

    Args:
        lowercase: replace by ``str.lower()``.
        strip_accents: then replace by the canonical decomposition (NFD). Its order of
            marks, and the deletion of those in ``NONSPACING``, are up to the caller.
    """
    with np.load(DATA_FILE, allow_pickle=False) as data:
        runs = np.diff(data["class_starts"], append=CODE_POINTS)
        words = np.repeat(data["class_values"].astype(np.int32), runs)
        lower = _mapping(data, "lower") if lowercase else {}
        decomposed = _mapping(data, "decomposed") if strip_accents else {}
    replacements = {
        code: [
            part
            for low in lower.get(code, [code])
            for part in decomposed.get(low, [low])
        ]
        for code in sorted({*lower, *decomposed})
    }
    codes = np.fromiter(replacements, np.int64, len(replacements))
    words[codes] |= np.arange(1, len(codes) + 1, dtype=np.int32) << RECORD_SHIFT
    lengths = np.array([1, *map(len, replacements.values())], np.int32)
    values = [0, *(part for parts in replacements.values() for part in parts)]
    pages, index = np.unique(words.reshape(-1, PAGE), axis=0, return_inverse=True)
    return FoldingTables(
        page_index=index.reshape(-1).astype(np.int32),
        pages=pages.reshape(-1),
        starts=(np.cumsum(lengths) - lengths).astype(np.int32),
        lengths=lengths,
        values=np.array(values, np.int32),
        lowercase=lowercase,
        strip_accents=strip_accents,
    )


def _mapping(data: Any, name: str) -> dict[int, list[int]]:
    ends = np.cumsum(data[f"{name}_lengths"])[:-1]
    parts = np.split(data[f"{name}_values"], ends)
    return {
        code: part.tolist()
        for code, part in zip(data[f"{name}_codes"].tolist(), parts, strict=True)
    }
