"""Gold answers and a model's → the figures of the official answer scorers."""

import collections
import re
import string
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from ..errors import InputError
from .cmrc import cmrc_exact, cmrc_f1

Scorer = Literal["squad1", "squad2", "cmrc"]

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


class AnswerScores(NamedTuple):
    """What each answer is worth against the best of its golds.

    Args:
        exact: float64 ``[Q]``, 1.0 or 0.0.
        f1: float64 ``[Q]``, 0 to 1.
    """

    exact: np.ndarray
    f1: np.ndarray


def answer_scores(
    golds: Sequence[Sequence[str]], answers: Sequence[str], *, scorer: Scorer
) -> AnswerScores:
    """Exact match and F1 of each answer, against whichever gold it fits best.

    Args:
        golds: ``[Q]``, the right answers of each question; none if it has no answer.
        answers: ``[Q]``, one a question; ``""`` says that there is no answer.
        scorer: whose rules: ``"squad1"`` and ``"squad2"`` compare words, without case,
            ASCII punctuation and articles; they part only where nothing else is left
            (F1 of two empty answers is 0 by ``"squad1"``, 1 by ``"squad2"``, which
            also ignores such golds). ``"cmrc"`` compares Chinese characters. By all of
            them the right answer to a question without golds is ``""``.

    Raises:
        InputError: no questions, or other numbers of answers.

    Source:
        Rajpurkar et al., ``evaluate-v1.1.py`` and ``evaluate-v2.0.py``; ymcui/cmrc2018
        ``cmrc2018_evaluate.py``.
        Differs: every question has an answer here; ``evaluate-v1.1.py`` counts missing
        ones as wrong, ``evaluate-v2.0.py`` leaves them out. ``"squad1"`` and ``"cmrc"``
        take questions without golds, at which the originals fail.
    """
    if len(golds) != len(answers):
        raise InputError(
            f"{len(answers)} answers", expected=f"{len(golds)}, one a question"
        )
    if not golds:
        raise InputError("nothing to score", expected="at least one question")
    exact, f1 = _MEASURES[scorer]
    scores = np.zeros((2, len(golds)))
    for number, (own, answer) in enumerate(zip(golds, answers, strict=True)):
        if scorer == "squad2":
            own = [gold for gold in own if normalize_answer(gold)]
        if own:
            scores[:, number] = (
                max(exact(gold, answer) for gold in own),
                max(f1(gold, answer) for gold in own),
            )
        elif scorer == "squad2":  # an answer of nothing but an article is none either
            scores[:, number] = exact("", answer), f1("", answer)
        else:
            scores[:, number] = not answer
    return AnswerScores(*scores)


def answer_figures(
    golds: Sequence[Sequence[str]], answers: Sequence[str], *, scorer: Scorer
) -> dict[str, float]:
    """The official figures of a file's answers, in per cent.

    Args:
        golds: see ``answer_scores``.
        answers: see ``answer_scores``.
        scorer: see ``answer_scores``.

    Returns:
        ``exact``, ``f1`` and ``total`` (the number of questions). By ``"squad2"`` also
        ``HasAns_exact``, ``HasAns_f1`` and ``HasAns_total`` of the questions that have
        an answer, and ``NoAns_…`` of the others, if there are any; by ``"cmrc"`` also
        ``average``, of ``exact`` and ``f1``.

    Raises:
        InputError: no questions, or other numbers of answers.

    Example:
        >>> answer_figures([["the cat"], []], ["Cat!", "dog"], scorer="squad2")["exact"]
        50.0

    Source:
        As ``answer_scores``. Differs: ``evaluate-v1.1.py`` calls ``exact``
        ``exact_match``; ``cmrc2018_evaluate.py`` writes its names in capitals, and
        rounds.
    """
    scores = answer_scores(golds, answers, scorer=scorer)
    answerable = np.array([bool(own) for own in golds])
    figures = _means(scores, np.full(len(golds), True))
    if scorer == "cmrc":
        figures["average"] = (figures["exact"] + figures["f1"]) / 2
    if scorer == "squad2":
        for prefix, chosen in (("HasAns", answerable), ("NoAns", ~answerable)):
            if chosen.any():
                part = _means(scores, chosen)
                figures |= {f"{prefix}_{name}": part[name] for name in part}
    return figures


def threshold_figures(
    golds: Sequence[Sequence[str]],
    answers: Sequence[str],
    null_odds: Sequence[float],
    *,
    scorer: Scorer = "squad2",
) -> dict[str, float]:
    """The best figures that a threshold for "no answer" can give, and that threshold.

    Args:
        golds: see ``answer_scores``.
        answers: ``[Q]``, the best answer to each question, given although there may be
            none: where they are emptied by a threshold already, no better one can be
            found above it.
        null_odds: ``[Q]``, the higher, the rather a question has no answer.
        scorer: see ``answer_scores``.

    Returns:
        ``best_exact`` and ``best_f1``, in per cent, with ``best_exact_thresh`` and
        ``best_f1_thresh``: questions whose odds are above it get no answer.

    Raises:
        InputError: no questions, other numbers of answers or odds, or odds that are
            not finite.

    Source:
        Rajpurkar et al. 2018, arXiv:1806.03822, ``evaluate-v2.0.py``,
        ``find_all_best_thresh``. Differs: nothing. So if it is best to answer nothing,
        the threshold is 0.0, which does not empty the answers of lower odds.
    """
    scores = answer_scores(golds, answers, scorer=scorer)
    odds = np.asarray(null_odds, np.float64)
    if odds.shape != (len(golds),):
        raise InputError(f"{len(odds)} null odds", expected=f"{len(golds)}")
    if not np.isfinite(odds).all():
        wrong = int(np.flatnonzero(~np.isfinite(odds))[0])
        raise InputError(f"null odds {wrong} are {odds[wrong]}", expected="a number")
    figures = {}
    for name, values in zip(("exact", "f1"), scores, strict=True):
        best, threshold = _best_threshold(golds, answers, values, odds)
        figures |= {f"best_{name}": best, f"best_{name}_thresh": threshold}
    return figures


def normalize_answer(text: str) -> str:
    """An answer as SQuAD compares it: no case, punctuation, articles, extra blanks.

    Example:
        >>> normalize_answer("  The U.S.A.,  an  Idea ")
        'usa idea'
    """
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def _exact(gold: str, answer: str) -> float:
    return float(normalize_answer(gold) == normalize_answer(answer))


def _word_f1(gold: str, answer: str) -> float:
    wanted, got = normalize_answer(gold).split(), normalize_answer(answer).split()
    common = collections.Counter(wanted) & collections.Counter(got)
    count = sum(common.values())
    if not count:
        return 0.0
    precision, recall = count / len(got), count / len(wanted)
    return 2 * precision * recall / (precision + recall)


def _word_or_empty_f1(gold: str, answer: str) -> float:
    """As ``_word_f1``, but two answers without words agree."""
    if not normalize_answer(gold) and not normalize_answer(answer):
        return 1.0
    return _word_f1(gold, answer)


_Measure = Callable[[str, str], float]
_MEASURES: dict[Scorer, tuple[_Measure, _Measure]] = {
    "squad1": (_exact, _word_f1),
    "squad2": (_exact, _word_or_empty_f1),
    "cmrc": (cmrc_exact, cmrc_f1),
}


def _means(scores: AnswerScores, chosen: np.ndarray) -> dict[str, float]:
    total = int(chosen.sum())
    # Python's sum, from the first to the last: the last digits are the original's.
    exact, f1 = (100 * sum(values[chosen].tolist()) / total for values in scores)
    return {"exact": exact, "f1": f1, "total": total}


def _best_threshold(
    golds: Sequence[Sequence[str]],
    answers: Sequence[str],
    values: np.ndarray,
    odds: np.ndarray,
) -> tuple[float, float]:
    """The best mean over all thresholds, in per cent, and the threshold."""
    answerable = np.array([bool(own) for own in golds])
    given = np.array([bool(answer) for answer in answers])
    gains = np.where(answerable, values, -given.astype(np.float64))
    order = np.argsort(odds, kind="stable")
    start = float((~answerable).sum())
    totals = np.cumsum(np.concatenate([[start], gains[order]]))
    best = int(np.argmax(totals))  # the first one of the highest
    threshold = float(odds[order[best - 1]]) if best else 0.0
    return 100 * float(totals[best]) / len(golds), threshold
