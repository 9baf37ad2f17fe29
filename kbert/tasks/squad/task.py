"""Questions, rows, candidates → the task that fine-tuning knows as ``qa``."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from ... import io
from ...errors import ConfigError, InputError
from ...metrics.squad import Scorer, answer_figures, threshold_figures
from ...model import Bert
from ...task_model import Loss
from ...tokenizer import Tokenizer
from ..predictions import is_folder, own_folder
from ..rows import Rows
from ..tables import task_from
from .candidates import Guess, Search, best_answers
from .places import answer_places, check_places
from .questions import Question, read_questions
from .windows import context_pieces, question_rows

PREDICTIONS = "predictions.json"
CANDIDATES, NULL_ODDS = "nbest_predictions.json", "null_odds.json"
_MIN_LENGTH = 5  # [CLS], a piece of the question, [SEP], one of the context, [SEP]


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuestionAnswering:
    """Answers to questions, cut out of a text: SQuAD 1.1 and 2.0, CMRC 2018, XQuAD.

    Args:
        max_query_length: most word pieces of a question; what is longer loses its end.
        doc_stride: word pieces from the start of one window of a context to the next.
        max_answer_length: most word pieces of an answer. 30 is for English; in Chinese,
            a character a piece, it holds 95 % of CMRC 2018's right answers on dev and
            66 % on trial, 100 holds all and 97 %.
        n_best: starts and ends looked at in each window, and answers kept of each
            question.
        version_2: whether a question may have no answer; ``None`` goes by whether there
            is such a question in the training file.
        null_threshold: a question gets no answer if the score of "no answer" is higher
            than that of the best answer by more than this. ``None`` finds the one with
            the best F1 on the dev file; 0.0 without one.
        skip_bad: where answers of the training file do not stand at their
            ``answer_start``, look for their texts elsewhere in the context, leave out
            the questions of which none is there, and say how many; else stop.
        scorer: ``"squad"`` scores as the official script of SQuAD 1.1, or of 2.0 if a
            question has no answer; ``"cmrc"`` as that of CMRC 2018, for Chinese.

    Raises:
        ConfigError: a number below 1, a threshold that is none, or no such scorer.

    Example:
        >>> task = QuestionAnswering()
        >>> train = task.read("train-v2.0.json")
        >>> task.fitted(train).version_2
        True

    Source:
        Devlin et al. 2019, arXiv:1810.04805, sections 4.2 and 4.3; google-research/bert
        ``run_squad.py``.
        Differs: see ``question_rows`` and ``best_answers``.
    """

    max_query_length: int = 64
    doc_stride: int = 128
    max_answer_length: int = 30
    n_best: int = 20
    version_2: bool | None = None
    null_threshold: float | None = None
    skip_bad: bool = False
    scorer: Literal["squad", "cmrc"] = "squad"

    kind: ClassVar[str] = "qa"
    head: ClassVar[str] = "span"
    prediction_endings: ClassVar[tuple[str, ...]] = ()
    loss: ClassVar[Loss] = "cross_entropy"
    labels: ClassVar[tuple[str, ...]] = ()
    units: ClassVar[int] = 2
    # At the threshold that goes with the weights. best_f1 may be more than any stored
    # threshold gives: if it is best to answer nothing, or odds are equal.
    main_figure: ClassVar[str] = "f1"

    def __post_init__(self) -> None:
        for name in ("max_query_length", "doc_stride", "max_answer_length", "n_best"):
            value = getattr(self, name)
            if value < 1:
                raise ConfigError(f"{name}={value}", expected="1 or more")
        threshold = self.null_threshold
        if threshold is not None and not math.isfinite(threshold):
            raise ConfigError(f"null_threshold={threshold}", expected="a number")
        if self.scorer not in ("squad", "cmrc"):
            raise ConfigError(f"scorer={self.scorer!r}", expected="squad or cmrc")

    def read(self, path: str, *, gold: bool = True) -> list[Question]:
        """The questions of a file; see ``read_questions``."""
        return read_questions(path, gold=gold)

    def fitted(self, train: Sequence[Question]) -> "QuestionAnswering":
        """The same task, knowing whether a question may have no answer.

        Raises:
            InputError: no question has an answer, one has none although ``version_2``
                is false, or an answer is not at its place and ``skip_bad`` is false.
        """
        without = [one for one in train if not one.golds]
        if len(without) == len(train):
            raise InputError(
                "no question has an answer",
                where=train[0].source if train else None,
                expected="at least one to learn from",
            )
        if without and self.version_2 is False:
            raise InputError(
                f"question {without[0].id!r} has no answer",
                where=without[0].source,
                expected="one, as version_2 is false",
            )
        if not self.skip_bad:
            check_places(train)
        return dataclasses.replace(self, version_2=bool(without or self.version_2))

    def check(self, examples: Sequence[Question]) -> None:
        """Raise ``InputError`` if the right answers to a question are not known."""
        for one in examples:
            _ = one.golds

    def check_dev(self, examples: Sequence[Question]) -> None:
        """Nothing: F1 is of any examples."""

    def rows(
        self,
        examples: Sequence[Question],
        tokenizer: Tokenizer,
        *,
        max_length: int,
        training: bool,
    ) -> Rows:
        """Rows of all windows of all questions; see ``question_rows``.

        In training, questions whose answer is not in their context have none.

        Raises:
            ConfigError: ``max_length`` leaves no room for question and context.
            InputError: in training, an answer is not at its place and ``skip_bad`` is
                false.
        """
        if max_length < _MIN_LENGTH:
            raise ConfigError(
                f"max_length={max_length}", expected=f"{_MIN_LENGTH} or more"
            )
        places = answer_places(examples, skip_bad=self.skip_bad) if training else None
        return question_rows(
            examples,
            tokenizer,
            max_length=max_length,
            max_query_length=self.max_query_length,
            doc_stride=self.doc_stride,
            places=places,
        )

    def guesses(
        self,
        examples: Sequence[Question],
        rows: Rows,
        outputs: Sequence[np.ndarray],
        bert: Bert,
    ) -> list[Guess]:
        """The best answers to each question; see ``best_answers``."""
        return best_answers(
            examples,
            context_pieces(examples, bert.tokenizer),
            rows,
            outputs,
            stride=self.doc_stride,
            search=Search(
                n_best=self.n_best,
                max_answer_length=self.max_answer_length,
                allow_none=bool(self.version_2),
            ),
        )

    def answer(self, guess: Guess) -> str:
        """The answer that a guess comes to; ``""`` says that there is none."""
        threshold = self.null_threshold or 0.0
        none = guess.null_odds is not None and guess.null_odds > threshold
        return "" if none else guess.best

    def tuned(
        self, examples: Sequence[Question], guesses: Sequence[Guess]
    ) -> "QuestionAnswering":
        """The same task with the threshold of the best F1, by the official procedure.

        A threshold that was given stays; so does a task that answers every question.
        """
        if not self.version_2 or self.null_threshold is not None:
            return self
        figures = self._threshold_figures(examples, guesses)
        return dataclasses.replace(self, null_threshold=figures["best_f1_thresh"])

    def score(
        self, examples: Sequence[Question], guesses: Sequence[Guess]
    ) -> dict[str, float]:
        """The official figures, in per cent; see ``answer_figures``.

        ``exact``, ``f1`` and their parts are those at the threshold of the task, as the
        official script counts them for what ``write`` writes. A task that knows "no
        answer" also has ``best_exact``, ``best_f1`` and their thresholds: the best that
        can be had of these very examples.
        """
        golds = [one.golds for one in examples]
        answers = [self.answer(one) for one in guesses]
        figures = answer_figures(golds, answers, scorer=self._official(golds))
        if self.version_2:
            figures |= self._threshold_figures(examples, guesses)
        return figures

    def write(
        self, path: Path, examples: Sequence[Question], guesses: Sequence[Guess]
    ) -> None:
        """Write the answers by question id, as the official scorers read them.

        Args:
            path: of the file; a folder, or a name without an ending, gets
                ``predictions.json``, ``nbest_predictions.json`` and, if the task knows
                "no answer", ``null_odds.json``, in the formats of ``run_squad.py`` and
                ``evaluate-v2.0.py``.
            examples: in order.
            guesses: of them.

        Raises:
            OutputError: the disk says no.
        """
        answers = _by_id(examples, [self.answer(one) for one in guesses])
        if not is_folder(path):
            io.write_json(path, answers)
            return
        folder = own_folder(path)
        io.write_json(folder / PREDICTIONS, answers)
        candidates = [[one.to_dict() for one in own.candidates] for own in guesses]
        io.write_json(folder / CANDIDATES, _by_id(examples, candidates))
        if self.version_2:
            odds = [guess.null_odds for guess in guesses]
            io.write_json(folder / NULL_ODDS, _by_id(examples, odds))

    def report(
        self, folder: Path, examples: Sequence[Question], guesses: Sequence[Guess]
    ) -> None:
        """Write ``evaluation.json``: the figures, named as the scripts name them."""
        io.write_json(folder / "evaluation.json", self.score(examples, guesses))

    def to_dict(self) -> dict[str, Any]:
        """All fields."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(
        cls, fields: Mapping[str, Any], labels: tuple[str, ...]
    ) -> "QuestionAnswering":
        """What ``to_dict`` gave as a task; there are no labels."""
        return task_from(cls, fields)

    def _official(self, golds: Sequence[Sequence[str]]) -> Scorer:
        if self.scorer == "cmrc":
            return "cmrc"
        return "squad2" if self.version_2 or not all(golds) else "squad1"

    def _threshold_figures(
        self, examples: Sequence[Question], guesses: Sequence[Guess]
    ) -> dict[str, float]:
        golds = [one.golds for one in examples]
        return threshold_figures(
            golds,
            [one.best for one in guesses],
            [one.null_odds or 0.0 for one in guesses],
            scorer=self._official(golds),
        )


def _by_id(examples: Sequence[Question], values: Sequence[Any]) -> dict[str, Any]:
    return {one.id: value for one, value in zip(examples, values, strict=True)}
