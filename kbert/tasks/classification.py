"""One or two texts → one class, or any number of labels."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, ClassVar

import numpy as np

from ..errors import ConfigError, InputError
from ..metrics.classification import class_figures, glue_figures, label_set_figures
from ..model import Bert
from ..readers.items import UnevenRows
from ..task_model import Loss
from ..tokenizer import Tokenizer
from .class_report import write_class_report
from .class_weights import ClassWeights, class_weights
from .glue import (
    GLUE_LABELS,
    check_glue,
    read_own_or_glue,
    submission_name,
    write_answers,
)
from .labels import checked_label, ordered_labels, split_label
from .predictions import (
    TABLE_ENDINGS,
    by_label,
    known_of,
    softmax,
    write_predictions,
)
from .rows import Column, Rows
from .tables import (
    ANOTHER_COLUMN,
    TextExample,
    require_labels,
    task_from,
    tells_nothing,
    token_columns,
)

_MAIN_FIGURES = {"CoLA": "matthews", "MRPC": "f1", "QQP": "f1"}
_NUM_LISTED = 20


@dataclasses.dataclass(frozen=True, slots=True)
class ClassGuess:
    """What the model says of one text or pair.

    Args:
        label: the class of the highest probability; where a text may have any number of
            labels, those of more than 0.5.
        probabilities: float32 ``[C]``.
    """

    label: str | tuple[str, ...]
    probabilities: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Classification:
    """Tell the class of a text or of a pair of texts; or any number of labels.

    Args:
        labels: names of the classes, in the order of the outputs. By default those of
            the training file: by number if all are whole numbers, else by name.
        multi_label: whether a text may have any number of labels.
        label_separator: between the labels of one table cell; an empty cell has none.
        class_weights: how much an example of each class counts in training:
            ``"balanced"``, or a mapping from label to weight. Not for ``multi_label``.
        glue: the GLUE task whose official files are read and answered, and by whose
            figures is scored. With ``text_column``, files are read as other tables are;
            with lines as ``format``, as a text a line.
        text_column: column or JSON key of the text; by default the only one, or text or
            sentence.
        text_pair_column: column or key of the second text, if there is one.
        label_column: column or key of the label; by default label.
        id_column: column or key of what predictions are named by.
        header: whether csv and tsv begin with a line of names; without one, columns are
            given as numbers from 0.
        format: ``"auto"`` goes by the ending; or csv, tsv, jsonl, or lines to predict.
        uneven_rows: what may be of table rows not as wide as the first: see
            ``ReaderOptions``.

    Raises:
        ConfigError: options that do not go together.

    Example:
        >>> task = Classification(text_column="review", label_column="stars")
        >>> train = task.read("train.csv")
        >>> task.fitted(train).labels
        ('1', '2', '3', '4', '5')
    """

    kind: ClassVar[str] = "classify"
    head: ClassVar[str] = "sequence_classifier"
    prediction_endings: ClassVar[tuple[str, ...]] = TABLE_ENDINGS

    labels: tuple[str, ...] = ()
    multi_label: bool = False
    label_separator: str = "|"
    class_weights: ClassWeights | None = None
    glue: str | None = None
    text_column: str | None = None
    text_pair_column: str | None = None
    label_column: str | None = None
    id_column: str | None = None
    header: bool = True
    format: str = "auto"
    uneven_rows: UnevenRows = "refuse"

    def __post_init__(self) -> None:
        check_glue(self, scores=False)
        for name, value in (("glue", self.glue), ("class_weights", self.class_weights)):
            if self.multi_label and value is not None:
                raise ConfigError(f"{name}={value!r} with multi_label")
        if not self.label_separator:
            raise ConfigError("label_separator=''", expected="at least one character")

    @property
    def loss(self) -> Loss:
        """What training makes smaller."""
        return "binary" if self.multi_label else "cross_entropy"

    @property
    def units(self) -> int:
        """C."""
        return len(self.labels)

    @property
    def main_figure(self) -> str:
        """GLUE's own; else F1 over all labels, or accuracy."""
        if self.multi_label:
            return "f1_micro"
        return _MAIN_FIGURES.get(self.glue, "accuracy")

    def read(self, path: str, *, gold: bool = True) -> list[TextExample]:
        """The examples of a file; see ``Task``."""
        examples = read_own_or_glue(self, path, gold=gold)
        if not gold:
            return examples
        return [
            dataclasses.replace(example, label=self._own_label(example))
            for example in examples
        ]

    def fitted(self, train: Sequence[TextExample]) -> "Classification":
        """The same task with the labels of the training examples; see ``Task``."""
        require_labels(train)
        found = {example.label for example in train}
        if len(found) < 2:
            raise InputError(
                f"every label is {next(iter(found), None)!r}",
                where=train[0].source if train else None,
                expected="at least two classes to tell apart",
                hint=ANOTHER_COLUMN,
            )
        given = self.labels or GLUE_LABELS.get(self.glue, ())
        names = {name for label in found for name in self._names(label)}
        task = dataclasses.replace(self, labels=given or ordered_labels(names))
        task.check(train)
        class_weights(np.zeros(0, int), self.class_weights, labels=task.labels)
        return task

    def check(self, examples: Sequence[TextExample]) -> None:
        """Raise ``InputError`` if an example has a label that the task does not."""
        require_labels(examples)
        known = set(self.labels)
        for example in examples:
            for name in self._names(example.label):
                if name not in known:
                    raise self._unknown(name, example)

    def check_dev(self, examples: Sequence[TextExample]) -> None:
        """Raise ``InputError`` if no example has what F1 or Matthews need.

        See ``Task``; accuracy is of any examples.
        """
        gold = self._numbers([example.label for example in examples])
        if self.main_figure == "matthews" and np.ptp(gold) == 0:
            why = f"every label is {examples[0].label!r}"
        elif self.main_figure == "f1" and not gold.any():
            why = f"no label is {self.labels[1]!r}"
        elif self.main_figure == "f1_micro" and not gold.any():
            why = "no text has a label"
        else:
            return
        raise tells_nothing(self.main_figure, examples, why)

    def rows(
        self,
        examples: Sequence[TextExample],
        tokenizer: Tokenizer,
        *,
        max_length: int,
        training: bool,
    ) -> Rows:
        """One row for each example; see ``Task``."""
        targets: dict[str, Column] = {}
        weights = np.ones(len(examples), np.float32)
        if examples and examples[0].label is not None:
            self.check(examples)
            gold = self._numbers([example.label for example in examples])
            if training and self.class_weights is not None:
                weights = class_weights(gold, self.class_weights, labels=self.labels)[
                    gold
                ]
            kind = np.float32 if self.multi_label else np.int32
            targets[self.head] = Column(gold.astype(kind))
        return Rows(
            inputs=token_columns(examples, tokenizer, max_length=max_length),
            targets=targets,
            weights={name: Column(weights) for name in targets},
            examples=np.arange(len(examples)),
        )

    def guesses(
        self,
        examples: Sequence[TextExample],
        rows: Rows,
        outputs: Sequence[np.ndarray],
        bert: Bert,
    ) -> list[ClassGuess]:
        """The class of each example and all probabilities; see ``Task``."""
        return [self._guess(logits) for logits in outputs]

    def tuned(
        self, examples: Sequence[TextExample], guesses: Sequence[ClassGuess]
    ) -> "Classification":
        """The same task: nothing is chosen on held-out examples."""
        return self

    def score(
        self, examples: Sequence[TextExample], guesses: Sequence[ClassGuess]
    ) -> dict[str, float]:
        """GLUE's figures, or all that fit; see ``kbert.metrics.classification``.

        Of MNLI also the accuracy of the matched and of the mismatched set, and Matthews
        of the diagnostic set, if the names of the files say which they are.
        """
        gold, guessed = self._both(examples, guesses)
        if self.multi_label:
            return label_set_figures(gold, guessed)
        if self.glue is None:
            return class_figures(gold, guessed, num_classes=self.units)
        figures = glue_figures(self.glue, gold, guessed)
        if self.glue == "MNLI":
            figures |= _by_set(examples, gold, guessed)
        return figures

    def write(
        self,
        path: Path,
        examples: Sequence[TextExample],
        guesses: Sequence[ClassGuess],
    ) -> None:
        """Write label and probabilities of each example, in order.

        Args:
            path: a name that ends in ``.tsv`` or ``.jsonl``; or a folder, which gets
                ``predictions.tsv`` and, of a GLUE file without labels, what the GLUE
                server takes, such as ``CoLA.tsv``.
            examples: what ``read`` gave.
            guesses: one for each.

        Raises:
            OutputError: another ending, or the disk says no.
        """
        pairs = zip(examples, guesses, strict=True)
        records = (self._record(*pair) for pair in pairs)
        write_predictions(path, records, separator=self.label_separator)
        answers = [guess.label for guess in guesses]
        write_answers(path, self.glue, examples, answers)

    def report(
        self,
        folder: Path,
        examples: Sequence[TextExample],
        guesses: Sequence[ClassGuess],
    ) -> None:
        """Write ``classes.tsv`` and, of one class a text, ``confusion_matrix.png``."""
        gold, guessed = self._both(examples, guesses)
        write_class_report(folder, gold, guessed, labels=self.labels)

    def to_dict(self) -> dict[str, Any]:
        """All options but the labels, as JSON takes them."""
        fields = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }
        del fields["labels"]
        if isinstance(self.class_weights, Mapping):
            fields["class_weights"] = dict(self.class_weights)
        return fields

    @classmethod
    def from_dict(
        cls, fields: Mapping[str, Any], labels: tuple[str, ...]
    ) -> "Classification":
        """What ``to_dict`` gave, and the labels, as a task."""
        return task_from(cls, {**fields, "labels": tuple(labels)})

    def _own_label(self, example: TextExample) -> str | tuple[str, ...]:
        if self.multi_label:
            return split_label(example, separator=self.label_separator)
        return checked_label(example)

    def _names(self, label: str | tuple[str, ...]) -> tuple[str, ...]:
        return label if self.multi_label else (label,)

    def _unknown(self, name: str, example: TextExample) -> InputError:
        known = ", ".join(self.labels[:_NUM_LISTED])
        more = ", …" if len(self.labels) > _NUM_LISTED else ""
        whose = "of GLUE" if self.glue else "of the training data"
        return InputError(
            f"unknown label {name!r}",
            where=example.source,
            line=example.line,
            expected=f"one of those {whose}: {known}{more}",
            hint=ANOTHER_COLUMN,
        )

    def _numbers(self, labels: Sequence[str | tuple[str, ...]]) -> np.ndarray:
        """int ``[N]``; with any number of labels, bool ``[N, C]``."""
        place = {name: number for number, name in enumerate(self.labels)}
        if not self.multi_label:
            return np.array([place[name] for name in labels], np.int64)
        numbers = np.zeros((len(labels), len(place)), bool)
        for row, names in enumerate(labels):
            numbers[row, [place[name] for name in names]] = True
        return numbers

    def _both(
        self, examples: Sequence[TextExample], guesses: Sequence[ClassGuess]
    ) -> tuple[np.ndarray, np.ndarray]:
        self.check(examples)
        gold = self._numbers([example.label for example in examples])
        return gold, self._numbers([guess.label for guess in guesses])

    def _guess(self, logits: np.ndarray) -> ClassGuess:
        if self.multi_label:
            probabilities = (1 + np.tanh(logits / 2)) / 2  # a sigmoid, never too large
            chosen = np.flatnonzero(logits > 0).tolist()
            return ClassGuess(tuple(self.labels[one] for one in chosen), probabilities)
        probabilities = softmax(logits)
        return ClassGuess(self.labels[int(logits.argmax())], probabilities)

    def _record(self, example: TextExample, guess: ClassGuess) -> dict[str, Any]:
        probability = by_label(self.labels, guess.probabilities)
        return {
            **known_of(example),
            "label": guess.label,
            "probability": probability,
        }


def _by_set(
    examples: Sequence[TextExample], gold: np.ndarray, guessed: np.ndarray
) -> dict[str, float]:
    """The figures of each set of MNLI that the examples are from.

    The leaderboard has the accuracy of two sets, and Matthews of the diagnostic one.
    """
    right, figures = gold == guessed, {}
    sets = np.array([_mnli_set(one.source) for one in examples])
    for name in ("matched", "mismatched"):
        if name in sets:
            figures[f"accuracy_{name}"] = float(right[sets == name].mean())
    own = sets == "diagnostic"
    if own.any():
        figures["matthews"] = class_figures(gold[own], guessed[own], num_classes=3)[
            "matthews"
        ]
    return figures


def _mnli_set(source: str) -> str:
    """Which set of MNLI a file holds, as its name says; empty if it does not."""
    if submission_name("MNLI", source) == "AX.tsv":
        return "diagnostic"
    found = re.search("(?<![a-z])(mis)?matched", PurePath(source).name.lower())
    return found.group() if found else ""
