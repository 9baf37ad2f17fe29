"""Questions → the characters of the answer that training aims at."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...errors import InputError, KbertWarning
from ...features.splits import Ints
from .questions import Answer, Question


class AnswerPlaces(NamedTuple):
    """Where the answers of questions stand in their contexts; all ``[Q]``.

    Args:
        starts: int64, first character; −1 if there is no answer.
        ends: int64, one after its last character; −1 if there is no answer.
        found: bool, false if there is an answer but it is nowhere in the context.
    """

    starts: Ints
    ends: Ints
    found: np.ndarray


def check_places(questions: Sequence[Question]) -> None:
    """Raise ``InputError`` unless every answer stands at its ``answer_start``."""
    answers = [(one, answer) for one in questions for answer in one.answers or ()]
    wrong = [pair for pair in answers if not _stands(*pair)]
    if not wrong:
        return
    question, answer = wrong[0]
    length = max(len(answer.text), 1)
    there = question.context[max(answer.start, 0) :][:length]
    raise InputError(
        f"question {question.id!r}: {_short(there)} stands at answer_start="
        f"{answer.start}",
        where=question.source,
        expected=f"the answer {_short(answer.text)}",
        hint=f"{len(wrong)} of {len(answers)} answers of the file are off: correct "
        "them, or look for their texts elsewhere in the context with --skip-bad "
        "(skip_bad=True in Python).",
    )


def answer_places(questions: Sequence[Question], *, skip_bad: bool) -> AnswerPlaces:
    """Choose the answer that training aims at: the first one that stands at its place.

    Args:
        questions: with answers.
        skip_bad: where no answer stands at its ``answer_start``, take the nearest place
            where the first one that is somewhere in the context does, and say how often
            that was so; else answers that do not stand at their place are an error.

    Raises:
        InputError: an answer does not stand at its ``answer_start``.

    Source:
        google-research/bert ``run_squad.py``, ``read_squad_examples``.
        Differs: questions with several answers are taken; the original leaves out what
        is not found within the words around ``answer_start``, we look further.
    """
    if not skip_bad:
        check_places(questions)
    places = np.full((2, len(questions)), -1, np.int64)
    found = np.full(len(questions), True)
    for number, question in enumerate(questions):
        if question.answers:
            place = _place(question)
            found[number] = place is not None
            if place is not None:
                places[:, number] = place
    if skip_bad:
        _warn(questions, found)
    return AnswerPlaces(*places, found)


def _place(question: Question) -> tuple[int, int] | None:
    answers = question.answers or ()
    for answer in answers:
        if _stands(question, answer):
            return answer.start, answer.start + len(answer.text)
    for answer in answers:
        start = _nearest(question.context, answer)
        if start is not None:
            return start, start + len(answer.text)
    return None


def _stands(question: Question, answer: Answer) -> bool:
    return (
        answer.text != ""
        and answer.start >= 0
        and question.context.startswith(answer.text, answer.start)
    )


def _nearest(context: str, answer: Answer) -> int | None:
    """Where the text of an answer begins, as near to its ``answer_start`` as can be."""
    if not answer.text:
        return None
    start = min(max(answer.start, 0), len(context))
    before = context.rfind(answer.text, 0, start + len(answer.text))
    after = context.find(answer.text, start)
    starts = [one for one in (before, after) if one >= 0]
    return min(starts, key=lambda one: abs(one - start), default=None)


def _warn(questions: Sequence[Question], found: np.ndarray) -> None:
    answers = [(one, answer) for one in questions for answer in one.answers or ()]
    wrong = sum(not _stands(*pair) for pair in answers)
    if wrong:
        lost = int((~found).sum())
        warnings.warn(
            f"{questions[0].source}: {wrong} of {len(answers)} answers do not stand at "
            "their answer_start; training takes another answer of their question, or "
            f"the same text elsewhere in the context. {lost} of {len(questions)} "
            "questions, of which no answer is there, are left out of it",
            KbertWarning,
            stacklevel=4,
        )


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
