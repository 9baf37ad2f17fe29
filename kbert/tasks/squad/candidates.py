"""Start and end scores of windows → the best answers to a question, from its text."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...features.splits import Ints
from ..rows import Rows
from .questions import Question
from .windows import Contexts, max_context, planned


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """One possible answer.

    Args:
        text: its characters in the context; ``""`` is no answer.
        start: place of its first character in the context; −1 if it is no answer.
        probability: softmax over the candidates of its question.
        start_logit, end_logit: the model's scores.
    """

    text: str
    start: int
    probability: float
    start_logit: float
    end_logit: float

    def to_dict(self) -> dict[str, str | float]:
        """As ``run_squad.py`` writes it."""
        names = ("text", "probability", "start_logit", "end_logit")
        return {name: getattr(self, name) for name in names}


@dataclasses.dataclass(frozen=True, slots=True)
class Guess:
    """What the model says of one question.

    Args:
        candidates: the best answers, the best one first; "no answer" among them if the
            task knows it.
        best: the text of the best one that is an answer, whatever the score of "no
            answer"; ``""`` only if there is no text to answer from.
        null_odds: the score of "no answer" less that of ``best``; ``None`` if the task
            knows no "no answer".
    """

    candidates: tuple[Candidate, ...]
    best: str
    null_odds: float | None


@dataclasses.dataclass(frozen=True)
class Search:
    """What counts as a candidate.

    Args:
        n_best: starts and ends looked at in each window; most candidates of a question.
        max_answer_length: most pieces of an answer.
        allow_none: whether "no answer" is one.
    """

    n_best: int
    max_answer_length: int
    allow_none: bool


def best_answers(
    questions: Sequence[Question],
    contexts: Contexts,
    rows: Rows,
    outputs: Sequence[np.ndarray],
    *,
    stride: int,
    search: Search,
) -> list[Guess]:
    """Find the best answers of each question over all its windows.

    Args:
        questions: in order.
        contexts: their pieces.
        rows: what ``question_rows`` made of them, not for training.
        outputs: float32, for each row ``[T, 2]``: scores of each place as start and as
            end.
        stride: ``doc_stride`` of the rows.
        search: what counts.

    Source:
        google-research/bert ``run_squad.py``, ``write_predictions``.
        Differs: the text is cut out by the places of its characters, not aligned anew.
        If none of the best starts and ends fit together, the best pair of all is taken;
        the original then answers "empty", or fails. An empty context has the answer "".
    """
    windows = planned(rows, stride=stride)
    owned = np.split(max_context(windows, contexts), np.cumsum(windows.length)[:-1])
    shown = contexts.firsts[windows.question] + windows.start  # first piece of each
    bounds = np.searchsorted(windows.question, np.arange(len(questions) + 1)).tolist()
    guesses = []
    for number, question in enumerate(questions):
        own = range(bounds[number], bounds[number + 1])
        logits = [np.asarray(outputs[row], np.float64) for row in own]
        masks = [owned[row] for row in own]
        spans = _spans(logits, masks, shown[own], search)
        if not len(spans.first):
            longest = max(map(len, logits))
            spans = _spans(
                logits, masks, shown[own], dataclasses.replace(search, n_best=longest)
            )
        guesses.append(_guess(question.context, contexts, spans, search))
    return guesses


class _Spans(NamedTuple):
    """The candidates of one question.

    Args:
        first, last: int64 ``[K]``, pieces of ``Contexts``.
        start_logits, end_logits: float64 ``[K]``.
        null: the start and end score of "no answer".
    """

    first: Ints
    last: Ints
    start_logits: np.ndarray
    end_logits: np.ndarray
    null: tuple[float, float]


def _spans(
    logits: list[np.ndarray], owned: list[np.ndarray], shown: Ints, search: Search
) -> _Spans:
    """The spans that the best starts and ends of each window make.

    Args:
        logits: of each window float64 ``[T, 2]``.
        owned: of each window bool ``[length]``, the pieces an answer may start at.
        shown: int64 ``[windows]``, the first piece of each.
        search: what counts.
    """
    columns: list[tuple[np.ndarray, ...]] = []
    for scores, mask, first_piece in zip(logits, owned, shown.tolist(), strict=True):
        before = len(scores) - len(mask) - 1  # places; the last one is [SEP]
        starts = _highest(scores[:, 0], search.n_best) - before
        ends = _highest(scores[:, 1], search.n_best) - before
        starts = starts[(starts >= 0) & (starts < len(mask))]
        starts = starts[mask[starts]]
        ends = ends[(ends >= 0) & (ends < len(mask))]
        lengths = ends - starts[:, None] + 1  # [starts, ends]
        fits = (lengths > 0) & (lengths <= search.max_answer_length)
        row, column = np.nonzero(fits)
        first, last = starts[row], ends[column]
        places = first + first_piece, last + first_piece
        columns.append((*places, scores[first + before, 0], scores[last + before, 1]))
    nulls = [(float(scores[0, 0]), float(scores[0, 1])) for scores in logits]
    joined = [np.concatenate(parts) for parts in zip(*columns, strict=True)]
    return _Spans(*joined, null=min(nulls, key=sum))


class _Entry(NamedTuple):
    """A ``Candidate`` that has no probability yet."""

    text: str
    start: int
    start_logit: float
    end_logit: float

    @property
    def total(self) -> float:
        return self.start_logit + self.end_logit


def _guess(context: str, contexts: Contexts, spans: _Spans, search: Search) -> Guess:
    """Order the candidates of a question, each text once, and keep the best."""
    entries = _distinct(context, contexts, spans, search.n_best)
    best = entries[0] if entries else _Entry("", -1, 0.0, 0.0)
    null_odds = None
    if search.allow_none:
        null = _Entry("", -1, *spans.null)
        null_odds = null.total - best.start_logit - best.end_logit
        place = sum(entry.total >= null.total for entry in entries)
        entries.insert(place, null)
        # "No answer" has a place even if it is not among the best.
        entries = entries[: max(search.n_best, place + 1)]
    return Guess(_with_probabilities(entries or [best]), best.text, null_odds)


def _distinct(
    context: str, contexts: Contexts, spans: _Spans, n_best: int
) -> list[_Entry]:
    """The best spans of different texts, the best one first."""
    found: dict[str, _Entry] = {}
    for number in np.argsort(-spans.start_logits - spans.end_logits, kind="stable"):
        start = int(contexts.starts[spans.first[number]])
        text = context[start : int(contexts.ends[spans.last[number]])]
        if text not in found:
            scores = float(spans.start_logits[number]), float(spans.end_logits[number])
            found[text] = _Entry(text, start, *scores)
            if len(found) == n_best:
                break
    return list(found.values())


def _with_probabilities(entries: list[_Entry]) -> tuple[Candidate, ...]:
    totals = np.array([entry.total for entry in entries])
    shares = np.exp(totals - totals.max())
    return tuple(
        Candidate(one.text, one.start, probability, one.start_logit, one.end_logit)
        for one, probability in zip(
            entries, (shares / shares.sum()).tolist(), strict=True
        )
    )


def _highest(values: np.ndarray, count: int) -> Ints:
    """The places of the highest values, the highest first, of equals the first."""
    return np.argsort(-values, kind="stable")[:count]
