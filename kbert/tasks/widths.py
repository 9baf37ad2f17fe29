"""The lengths that batches may have: each is compiled once, and the rest is padding."""

import itertools
from collections.abc import Sequence

import numpy as np

from ..features.splits import Ints

_STEP = 8
# Compiling for one more length takes as long as so many tokens of an epoch, when there
# are three: 2 s on two cores, in which a model of 6 layers of 384 learns from 8,000.
_COST = 2700


def choose_widths(lengths: Ints, batch_size: int) -> tuple[int, ...]:
    """Few lengths that cost little padding.

    The sum of all tokens, padding included, and of what compiling costs is as small as
    it can be, for batches of rows that are sorted by length.

    Args:
        lengths: int ``[R]``, tokens of each row, at least one.
        batch_size: rows of a batch.

    Returns:
        Rising numbers, of which the last is the longest row's.
    """
    longest = int(lengths.max())
    candidates = np.array([*range(_STEP, longest, _STEP), longest])
    of_batches = np.sort(lengths)[::-1][::batch_size]
    places = np.searchsorted(candidates, of_batches)
    counts = np.bincount(places, minlength=len(candidates))
    up_to = np.concatenate([[0], np.cumsum(counts)])  # batches of the first n
    least, before = [0.0], []
    for place, width in enumerate(candidates.tolist()):
        covered = up_to[place + 1] - up_to[: place + 1]
        costs = np.array(least) + covered * width * batch_size + _COST
        before.append(int(costs.argmin()))
        least.append(float(costs.min()))
    chosen, place = [], len(candidates)
    while place:
        chosen.append(int(candidates[place - 1]))
        place = before[place - 1]
    return tuple(reversed(chosen))


def fitting_width(widths: Sequence[int], longest: int) -> int:
    """The smallest that is long enough."""
    return next(itertools.dropwhile(lambda width: width < longest, widths))
