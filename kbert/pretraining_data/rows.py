"""Sentence lengths → rows: which tokens stand together, as parts A and B.

Nothing here touches a token: a part is a place in the flat tokens of a shard.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from random import Random
from typing import NamedTuple

import numpy as np

from .settings import Objective

Part = tuple[int, int]
_NO_PART = (0, 0)


class Sentences(NamedTuple):
    """Where sentences and documents of a shard begin.

    Args:
        bounds: ``[sentences + 1]``, the first token of each sentence; the end.
        documents: ``[documents + 1]``, the first sentence of each document; the end.
    """

    bounds: list[int]
    documents: list[int]


class Rows(NamedTuple):
    """Rows of one or two parts, special tokens left out.

    Args:
        parts: int64 ``[rows, 4]``: A's first token and end, B's first token and end.
        labels: int64 ``[rows]``: nsp: B is from elsewhere; sop: A and B are swapped.
        truncated_tokens: what did not fit in the row that its sentence was put in.
        dropped_tokens: what has no row: documents of one token, for sop.
    """

    parts: np.ndarray
    labels: np.ndarray
    truncated_tokens: int
    dropped_tokens: int


class _Plan:
    """Collects rows and losses.

    Args:
        room: most tokens of a row.
        random: decides at which end a part is cut.
    """

    def __init__(self, room: int, random: Random) -> None:
        self.room, self._random = room, random
        self._rows: list[tuple[int, int, int, int, int]] = []
        self.truncated = self.dropped = 0

    def add(self, a: Part, b: Part = _NO_PART, *, label: int = 0) -> None:
        self._rows.append((*a, *b, label))

    def fit(self, a: Part, b: Part) -> tuple[Part, Part]:
        """Cut tokens off the longer part, one by one, until both fit.

        At a tie B loses one. Each is cut at the front or at the back, at random.
        """
        size_a, size_b = a[1] - a[0], b[1] - b[0]
        excess = size_a + size_b - self.room
        if excess <= 0:
            return a, b
        from_a = min(excess, max(0, size_a - size_b))
        from_b = min(excess, max(0, size_b - size_a))
        both = excess - from_a - from_b
        return self._cut(a, from_a + both // 2), self._cut(b, from_b + (both + 1) // 2)

    def _cut(self, part: Part, count: int) -> Part:
        front = self._random.getrandbits(count).bit_count() if count else 0
        return part[0] + front, part[1] - (count - front)

    def rows(self) -> Rows:
        table = np.array(self._rows, np.int64).reshape(-1, 5)
        return Rows(table[:, :4], table[:, 4], self.truncated, self.dropped)


def plan_rows(
    sentences: Sentences,
    objective: Objective,
    *,
    length: int,
    short_rate: float,
    random: Random,
) -> Rows:
    """Arrange the sentences of a shard in rows.

    Args:
        sentences: of at least two documents for ``nsp``.
        objective: what the rows are for.
        length: tokens of a row, [CLS] and [SEP] included.
        short_rate: share of documents whose rows are shorter.
        random: decides everything; only its guaranteed methods are used, so that the
            same seed gives the same rows under every Python.

    Source:
        google-research/bert ``create_pretraining_data.py`` (nsp); Lan et al. 2020,
        arXiv:1909.11942 (sop); Liu et al. 2019, arXiv:1907.11692, FULL-SENTENCES with
        document ends (none).
        Differs: nsp: B is never from A's own document, however few there are; it comes
        from the documents of the same shard, a random share of the corpus. sop: a
        sentence alone is cut in two at a random token. none: a sentence that is
        longer than a row goes on in the next.
    """
    fill = {"nsp": _next_sentence, "sop": _sentence_order, "none": _full}[objective]
    plan = _Plan(length - (2 if objective == "none" else 3), random)
    for document in range(len(sentences.documents) - 1):
        target = plan.room
        if random.random() < short_rate:
            target = 2 + int(random.random() * (plan.room - 1))
        fill(sentences, document, target, plan, random.random)
    return plan.rows()


def _next_sentence(
    sentences: Sentences,
    document: int,
    target: int,
    plan: _Plan,
    draw: Callable[[], float],
) -> None:
    bounds = sentences.bounds
    begin, stop = sentences.documents[document : document + 2]
    while begin < stop:
        end = bisect_left(bounds, bounds[begin] + target, begin + 1, stop)
        count = end - begin
        middle = begin + 1 + int(draw() * (count - 1)) if count > 1 else end
        a = bounds[begin], bounds[middle]
        is_random = count == 1 or draw() < 0.5
        if is_random:
            wanted = max(1, target - (a[1] - a[0]))
            b = _elsewhere(sentences, document, wanted, draw)
            own, begin = a[1] - a[0], middle  # the rest of the chunk is put back
        else:
            b = bounds[middle], bounds[end]
            own, begin = b[1] - a[0], end
        a, b = plan.fit(a, b)
        plan.add(a, b, label=int(is_random))
        kept = a[1] - a[0] + (0 if is_random else b[1] - b[0])
        plan.truncated += own - kept


def _elsewhere(
    sentences: Sentences, document: int, wanted: int, draw: Callable[[], float]
) -> Part:
    """From a random sentence of another document on, until there are enough tokens."""
    bounds, documents = sentences
    other = int(draw() * (len(documents) - 2))
    other += other >= document
    first, stop = documents[other : other + 2]
    begin = first + int(draw() * (stop - first))
    end = bisect_left(bounds, bounds[begin] + wanted, begin + 1, stop)
    return bounds[begin], bounds[end]


def _sentence_order(
    sentences: Sentences,
    document: int,
    target: int,
    plan: _Plan,
    draw: Callable[[], float],
) -> None:
    bounds = sentences.bounds
    begin, stop = sentences.documents[document : document + 2]
    while begin < stop:
        end = bisect_left(bounds, bounds[begin] + target, begin + 1, stop)
        if bounds[stop] - bounds[end] == 1:
            end = stop  # one token cannot be two parts
        size = bounds[end] - bounds[begin]
        if end - begin > 1:
            middle = bounds[begin + 1 + int(draw() * (end - begin - 1))]
        else:
            middle = bounds[begin] + 1 + int(draw() * (size - 1))
        if size > 1:
            a, b = plan.fit((bounds[begin], middle), (middle, bounds[end]))
            swapped = draw() < 0.5
            plan.add(*((b, a) if swapped else (a, b)), label=int(swapped))
            plan.truncated += size - (a[1] - a[0]) - (b[1] - b[0])
        else:
            plan.dropped += size
        begin = end


def _full(
    sentences: Sentences,
    document: int,
    target: int,
    plan: _Plan,
    draw: Callable[[], float],
) -> None:
    bounds = sentences.bounds
    sentence, stop = sentences.documents[document : document + 2]
    begin, last = bounds[sentence], bounds[stop]
    while begin < last:
        # The last sentence end that still fits; a longer sentence is cut.
        sentence = bisect_right(bounds, begin + target, sentence, stop + 1) - 1
        end = bounds[sentence] if bounds[sentence] > begin else begin + target
        plan.add((begin, end))
        begin = end
