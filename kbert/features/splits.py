"""Rows of different lengths as flat arrays: counts ↔ splits ↔ the numbers of ranges."""

from collections.abc import Sequence

import numpy as np

Ints = np.ndarray  # int64


def cumulated(counts: Sequence[int] | np.ndarray) -> Ints:
    """Counts ``[n]`` → splits ``[n + 1]``: 0 and the running sums."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def ranges(starts: Ints, stops: Ints) -> tuple[Ints, Ints]:
    """The numbers of all ranges one after the other, and the range of each number."""
    counts = stops - starts
    owners = np.repeat(np.arange(len(counts)), counts)
    firsts = np.cumsum(counts) - counts
    return starts[owners] + np.arange(len(owners)) - firsts[owners], owners
