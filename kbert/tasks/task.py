"""What fine-tuning asks of a task: files → examples → rows; outputs → scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..model import Bert
from ..task_model import Loss
from ..tokenizer import Tokenizer
from .rows import Rows


class Task(Protocol):
    """One kind of task with its options: a frozen dataclass.

    An example is whatever the task likes; it has ``source``, the file, and ``line``.
    A guess is what the task makes of the outputs of the model for one example.

    Attributes:
        kind: ``classify``, ``regress``, ``ner``, ``qa`` or ``choice``.
        head: the output layer, one of ``kbert.heads.HEADS``.
        loss: of ``kbert.build_task_model``.
        labels: names of the classes, in the order of the outputs; empty if there are
            none, or if they are not known yet.
        units: outputs of the head; of a task that knows its labels.
        prediction_endings: of the files that ``write`` can make; none if any will do.
        main_figure: the name of the figure that picks the best model, the higher the
            better.
    """

    @property
    def kind(self) -> str: ...

    @property
    def head(self) -> str: ...

    @property
    def loss(self) -> Loss: ...

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def units(self) -> int: ...

    @property
    def prediction_endings(self) -> tuple[str, ...]: ...

    @property
    def main_figure(self) -> str: ...

    def read(self, path: str, *, gold: bool = True) -> Sequence[Any]:
        """The examples of a file, all of them, in order.

        Args:
            path: of the file.
            gold: whether the file has to say what is right.

        Raises:
            InputError: the file is not what it has to be; the line is named.
        """

    def fitted(self, train: Sequence[Any]) -> "Task":
        """The same task, knowing what the training examples tell, such as labels.

        Raises:
            InputError: nothing can be learned from them.
        """

    def check(self, examples: Sequence[Any]) -> None:
        """Raise ``InputError`` if what is right is nothing that the task knows."""

    def check_dev(self, examples: Sequence[Any]) -> None:
        """Raise ``InputError`` if the main figure cannot tell models apart on these."""

    def rows(
        self,
        examples: Sequence[Any],
        tokenizer: Tokenizer,
        *,
        max_length: int,
        training: bool,
    ) -> Rows:
        """Rows for the model; those of one example stand together.

        Args:
            examples: what ``read`` gave.
            tokenizer: of the model.
            max_length: most tokens of a row.
            training: then what nothing can be learned from may be missing.
        """

    def guesses(
        self,
        examples: Sequence[Any],
        rows: Rows,
        outputs: Sequence[np.ndarray],
        bert: Bert,
    ) -> Sequence[Any]:
        """What the model says of each example.

        Args:
            examples: what ``read`` gave.
            rows: of them, not for training.
            outputs: float32, of each row (of each question, where it has several) what
                stands behind it in ``build_task_model``, without padding: ``[C]``,
                ``[W, C]``, ``[T, 2]``, ``[n]``.
            bert: has the other heads, such as the CRF.
        """

    def restrict(self, crf: Any) -> None:
        """Rule out sequences of labels; asked only if ``loss`` is ``crf``."""

    def tuned(self, examples: Sequence[Any], guesses: Sequence[Any]) -> "Task":
        """The same task with what is chosen on held-out examples: a threshold."""

    def score(
        self, examples: Sequence[Any], guesses: Sequence[Any]
    ) -> Mapping[str, float]:
        """The official figures, by name."""

    def write(
        self, path: Path, examples: Sequence[Any], guesses: Sequence[Any]
    ) -> None:
        """Write the guesses, one for each example, in order."""

    def report(
        self, folder: Path, examples: Sequence[Any], guesses: Sequence[Any]
    ) -> None:
        """Write what else there is to see of a scored set, into an existing folder."""

    def to_dict(self) -> dict[str, Any]:
        """All options but the labels, as JSON takes them."""

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], labels: tuple[str, ...]) -> "Task":
        """What ``to_dict`` gave, and the labels, as a task."""
