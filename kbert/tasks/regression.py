"""One or two texts → one number, such as how alike they are."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..errors import InputError
from ..metrics.classification import score_figures
from ..model import Bert
from ..readers.items import UnevenRows
from ..task_model import Loss
from ..tokenizer import Tokenizer
from .glue import check_glue, read_own_or_glue, write_answers
from .predictions import TABLE_ENDINGS, known_of, write_predictions
from .rows import Column, Rows
from .tables import (
    ANOTHER_COLUMN,
    TextExample,
    require_labels,
    task_from,
    tells_nothing,
    token_columns,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Regression:
    """Give a number to a text or to a pair of texts.

    The model learns the numbers as they are; a guess is not held to their range.

    Args:
        glue: ``"STS-B"``: its official files are read and answered (those of the STS
            benchmark, too). With ``text_column``, files are read as other tables are;
            with lines as ``format``, as a text a line.
        text_column: column or JSON key of the text; by default the only one, or text or
            sentence.
        text_pair_column: column or key of the second text, if there is one.
        label_column: column or key of the number; by default label.
        id_column: column or key of what predictions are named by.
        header: whether csv and tsv begin with a line of names; without one, columns are
            given as numbers from 0.
        format: ``"auto"`` goes by the ending; or csv, tsv, jsonl, or lines to predict.
        uneven_rows: what may be of table rows not as wide as the first: see
            ``ReaderOptions``.

    Raises:
        ConfigError: a GLUE task that is no regression, or options that do not go with
            it.

    Example:
        >>> Regression(glue="STS-B").read("sts-dev.csv")[0].label
        5.0
    """

    kind: ClassVar[str] = "regress"
    head: ClassVar[str] = "sequence_classifier"
    prediction_endings: ClassVar[tuple[str, ...]] = TABLE_ENDINGS
    loss: ClassVar[Loss] = "squared"
    labels: ClassVar[tuple[str, ...]] = ()
    units: ClassVar[int] = 1
    main_figure: ClassVar[str] = "spearman"

    glue: str | None = None
    text_column: str | None = None
    text_pair_column: str | None = None
    label_column: str | None = None
    id_column: str | None = None
    header: bool = True
    format: str = "auto"
    uneven_rows: UnevenRows = "refuse"

    def __post_init__(self) -> None:
        check_glue(self, scores=True)

    def read(self, path: str, *, gold: bool = True) -> list[TextExample]:
        """The examples of a file, their labels as float; see ``Task``."""
        examples = read_own_or_glue(self, path, gold=gold)
        if not gold:
            return examples
        return [
            dataclasses.replace(example, label=_number(example)) for example in examples
        ]

    def fitted(self, train: Sequence[TextExample]) -> "Regression":
        """The same task, if there is something to learn; see ``Task``."""
        require_labels(train)
        found = {example.label for example in train}
        if len(found) < 2:
            raise InputError(
                f"every number is {next(iter(found), None)}",
                where=train[0].source if train else None,
                expected="at least two different ones",
                hint=ANOTHER_COLUMN,
            )
        return self

    def check(self, examples: Sequence[TextExample]) -> None:
        """Raise ``InputError`` if an example has no number."""
        require_labels(examples)

    def check_dev(self, examples: Sequence[TextExample]) -> None:
        """Raise ``InputError`` if all numbers are the same; see ``Task``."""
        if len({example.label for example in examples}) < 2:
            why = f"every number is {examples[0].label}"
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
        if examples and examples[0].label is not None:
            self.check(examples)
            numbers = [example.label for example in examples]
            targets[self.head] = Column(np.array(numbers, np.float32))
        ones = Column(np.ones(len(examples), np.float32))
        return Rows(
            inputs=token_columns(examples, tokenizer, max_length=max_length),
            targets=targets,
            weights=dict.fromkeys(targets, ones),
            examples=np.arange(len(examples)),
        )

    def guesses(
        self,
        examples: Sequence[TextExample],
        rows: Rows,
        outputs: Sequence[np.ndarray],
        bert: Bert,
    ) -> list[float]:
        """The number of each example; see ``Task``."""
        return [float(output[0]) for output in outputs]

    def tuned(
        self, examples: Sequence[TextExample], guesses: Sequence[float]
    ) -> "Regression":
        """The same task: nothing is chosen on held-out examples."""
        return self

    def score(
        self, examples: Sequence[TextExample], guesses: Sequence[float]
    ) -> dict[str, float]:
        """``pearson`` and ``spearman``, as GLUE scores STS-B."""
        self.check(examples)
        gold = np.array([example.label for example in examples])
        return score_figures(gold, np.array(guesses))

    def write(
        self, path: Path, examples: Sequence[TextExample], guesses: Sequence[float]
    ) -> None:
        """Write the number of each example, in order.

        Args:
            path: a name that ends in ``.tsv`` or ``.jsonl``; or a folder, which gets
                ``predictions.tsv`` and, of a GLUE file without labels, ``STS-B.tsv``
                for the server.
            examples: what ``read`` gave.
            guesses: one for each.

        Raises:
            OutputError: another ending, or the disk says no.
        """
        pairs = zip(examples, guesses, strict=True)
        write_predictions(path, (_record(*pair) for pair in pairs))
        write_answers(path, self.glue, examples, guesses)

    def report(
        self, folder: Path, examples: Sequence[TextExample], guesses: Sequence[float]
    ) -> None:
        """Nothing: the figures say it all."""

    def to_dict(self) -> dict[str, Any]:
        """All options, as JSON takes them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(
        cls, fields: Mapping[str, Any], labels: tuple[str, ...] = ()
    ) -> "Regression":
        """What ``to_dict`` gave, as a task; it has no labels."""
        return task_from(cls, fields)


def _number(example: TextExample) -> float:
    label = example.label
    try:
        # Not a list, nor what only Python takes for a number, such as 1_000.
        value = float("_" if isinstance(label, tuple) or "_" in label else label)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"label {label!r}",
            where=example.source,
            line=example.line,
            expected="a number, such as 3.5",
            hint=ANOTHER_COLUMN,
        )
    return value


def _record(example: TextExample, guess: float) -> dict[str, Any]:
    return {**known_of(example), "prediction": float(f"{guess:.6g}")}
