"""Python's own Unicode 14.0 → the data file ``unicode_14.npz``.

``python -m kbert.tokenizer.unicode_generator`` makes the file again.
"""

import unicodedata
from collections.abc import Iterable

import numpy as np

from .. import io
from ..errors import DependencyError
from .unicode_tables import (
    CASE_IGNORABLE,
    CASED,
    CLASS_BITS,
    CODE_POINTS,
    DATA_FILE,
    DELETED,
    IDEOGRAPH,
    NONSPACING,
    PUNCTUATION,
    SPACE,
)

UNICODE_VERSION = "14.0.0"
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
_ASCII_SYMBOLS = ((33, 47), (58, 64), (91, 96), (123, 126))


def generate() -> dict[str, np.ndarray]:
    """Compute the arrays of the data file from this Python's own Unicode data.

    Returns:
        Classes as runs (``class_starts``, ``class_values``) and, for ``lower`` and
        ``decomposed``, the code points that change, how many each becomes, and which.

    Raises:
        DependencyError: this Python has another version of Unicode.
    """
    if unicodedata.unidata_version != UNICODE_VERSION:
        raise DependencyError(
            f"this Python has Unicode {unicodedata.unidata_version}",
            expected=UNICODE_VERSION,
            hint="Run it with Python 3.11.",
        )
    classes = np.array([_class(code) for code in range(CODE_POINTS)], np.uint16)
    starts = np.flatnonzero(np.diff(classes, prepend=classes[0] + 1))
    return {
        "class_starts": starts.astype(np.int32),
        "class_values": classes[starts],
        **_changes("lower", map(str.lower, _characters())),
        **_changes(
            "decomposed", (unicodedata.normalize("NFD", char) for char in _characters())
        ),
    }


def _characters() -> Iterable[str]:
    return map(chr, range(CODE_POINTS))


def _changes(name: str, results: Iterable[str]) -> dict[str, np.ndarray]:
    changed = [
        (ord(char), result)
        for char, result in zip(_characters(), results, strict=True)
        if char != result
    ]
    values = [ord(part) for _, result in changed for part in result]
    return {
        f"{name}_codes": np.array([code for code, _ in changed], np.int32),
        f"{name}_lengths": np.array([len(result) for _, result in changed], np.uint8),
        f"{name}_values": np.array(values, np.int32),
    }


def _class(code: int) -> int:
    char, category = chr(code), unicodedata.category(chr(code))
    blank = char in "\t\n\r"
    # str.lower() itself tells what it takes for cased and for ignorable.
    cased = f"{char}Σ".lower().endswith("ς")
    bits = {
        DELETED: code in (0, 0xFFFD) or (category in ("Cc", "Cf") and not blank),
        SPACE: blank or category in ("Zs", "Zl", "Zp"),
        IDEOGRAPH: _within(code, _IDEOGRAPHS),
        PUNCTUATION: _within(code, _ASCII_SYMBOLS) or category.startswith("P"),
        NONSPACING: category == "Mn",
        CASED: cased,
        CASE_IGNORABLE: not cased and f"A{char}Σ".lower().endswith("ς"),
    }
    combining = unicodedata.combining(char) << CLASS_BITS
    return combining | sum(bit for bit, holds in bits.items() if holds)


def _within(code: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(first <= code <= last for first, last in ranges)


if __name__ == "__main__":
    with io.atomic_file(DATA_FILE) as file:
        np.savez_compressed(file, **generate())
