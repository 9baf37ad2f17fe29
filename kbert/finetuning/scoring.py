"""A fine-tuned model and a file → figures and reports, or a guess for each example."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .. import io
from ..checkpoints import load
from ..errors import CheckpointError, ConfigError
from ..model import Bert
from ..task_model import build_task_model
from ..tasks import Rows, Task, row_outputs, task_class, task_of
from ..tasks.frozen import FrozenModel
from ..tasks.predictions import check_ending
from ..training.settings import POLICIES, ComputeDtype
from ..training.strategies import OneDevice
from .results import METRICS, MODEL
from .start import heads_of

BATCH_SIZE = 64


@dataclasses.dataclass(frozen=True)
class Scored:
    """What ``kbert.evaluate`` gives.

    Args:
        figures: the official ones, by name.
        examples: how many there were.
    """

    figures: Mapping[str, float]
    examples: int


def evaluate(
    source: str | os.PathLike[str],
    file: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    task: Task | str | None = None,
    reading: Mapping[str, Any] | None = None,
    max_length: int | None = None,
    batch_size: int = BATCH_SIZE,
    compute_dtype: ComputeDtype = "float32",
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda rows, tokens: None,
) -> Scored:
    """Score a fine-tuned model on a labelled file.

    Args:
        source: a run's folder, or a model directory.
        file: of the kind that the model was trained on.
        output: a new folder for ``metrics.json``, the guesses and the task's reports.
        task: what to score, or its kind, if the model does not say it, or says
            something else.
        reading: options of the task that are others for this file, such as
            ``{"text_column": "review"}``.
        max_length: most tokens of a row; by default that of the training.
        batch_size: rows at once.
        compute_dtype: arithmetic of the products.
        overwrite: replace what stands at ``output``.
        progress: told of rows, and of their tokens, that are done.

    Returns:
        The figures, as the task's official scorer gives them.

    Raises:
        CheckpointError: the model is damaged, or has no head for the task.
        ConfigError: the task has no such option.
        InputError: the file is not what it has to be, or has labels that the model
            does not know; the line is named.
        OutputError: ``output`` is taken, or cannot be written.
    """
    if output is not None:
        io.refuse_existing(output, overwrite=overwrite)
    fitted = open_fitted(
        source, task=task, reading=reading, dtype=POLICIES[compute_dtype]
    )
    examples = fitted.task.read(os.fspath(file))
    fitted.task.check(examples)
    guesses = fitted.guesses(
        examples, max_length=max_length, batch_size=batch_size, progress=progress
    )
    figures = dict(fitted.task.score(examples, guesses))
    if output is not None:
        with io.atomic_directory(output, overwrite=overwrite) as folder:
            fitted.task.write(folder, examples, guesses)
            fitted.task.report(folder, examples, guesses)
            content = {"file": os.fspath(file), "examples": len(examples), **figures}
            io.write_json(folder / METRICS, content)
    return Scored(figures, len(examples))


def predict(
    source: str | os.PathLike[str],
    file: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    task: Task | str | None = None,
    reading: Mapping[str, Any] | None = None,
    max_length: int | None = None,
    batch_size: int = BATCH_SIZE,
    compute_dtype: ComputeDtype = "float32",
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda rows, tokens: None,
) -> int:
    """Write what a fine-tuned model says of each example of a file, in order.

    Args:
        source, task, reading, max_length, batch_size, compute_dtype, overwrite,
            progress: see ``kbert.evaluate``.
        file: labels are not needed.
        output: a file or a folder, as the task writes it.

    Returns:
        How many examples there were; none is left out.

    Raises:
        KbertError: as from ``kbert.evaluate``.
    """
    io.refuse_existing(output, overwrite=overwrite)
    fitted = open_fitted(
        source, task=task, reading=reading, dtype=POLICIES[compute_dtype]
    )
    check_ending(Path(output), fitted.task.prediction_endings)
    examples = fitted.task.read(os.fspath(file), gold=False)
    guesses = fitted.guesses(
        examples, max_length=max_length, batch_size=batch_size, progress=progress
    )
    fitted.task.write(Path(output), examples, guesses)
    return len(examples)


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A fine-tuned model, ready to say something.

    Args:
        bert: the model.
        task: with the options for the file at hand.
        longest: most tokens of a row in training.
    """

    bert: Bert
    task: Task
    longest: int

    def guesses(
        self,
        examples: Sequence[Any],
        *,
        max_length: int | None = None,
        batch_size: int = BATCH_SIZE,
        progress: Callable[[int, int], None] = lambda rows, tokens: None,
    ) -> Sequence[Any]:
        """What the model says of each example."""
        rows = self.task.rows(
            examples,
            self.bert.tokenizer,
            max_length=self._length(max_length),
            training=False,
        )
        outputs = self._outputs(rows, batch_size=batch_size, progress=progress)
        return self.task.guesses(examples, rows, outputs, self.bert)

    def _outputs(
        self, rows: Rows, *, batch_size: int, progress: Callable[[int, int], None]
    ) -> list[np.ndarray]:
        model = build_task_model(self.bert, self.task.head, loss=self.task.loss)
        if keras.backend.backend() == "tensorflow":
            model = FrozenModel(model)
        else:
            model.compile(jit_compile=OneDevice().compiles)
        return row_outputs(model, rows, batch_size=batch_size, progress=progress)

    def _length(self, wanted: int | None) -> int:
        longest = self.bert.config.max_sequence_length
        if wanted is not None and not 1 <= wanted <= longest:
            raise ConfigError(
                f"max_length={wanted}",
                expected=f"1 to {longest}, max_sequence_length of the model",
            )
        return wanted or min(self.longest, longest)


def open_fitted(
    source: str | os.PathLike[str],
    *,
    task: Task | str | None = None,
    reading: Mapping[str, Any] | None = None,
    dtype: str = "float32",
) -> Fitted:
    """Load a run's model, or any fine-tuned one, and the task that it is for.

    Args:
        source, task, reading: see ``kbert.evaluate``.
        dtype: Keras dtype policy.
    """
    path = Path(source)
    path = path / MODEL if (path / MODEL).is_dir() else path
    bert = load(path, dtype=dtype)
    task = _with_options(_task(bert, task, where=path), reading or {})
    for head in heads_of(task):
        if head not in bert.heads:
            raise CheckpointError(
                f"has no head {head}, which the task {task.kind!r} reads",
                where=path,
                expected=f"one of {', '.join(bert.heads) or 'its own: it has none'}",
            )
    if bert.tokenizer is None:
        raise CheckpointError("has no vocabulary, so it cannot read text", where=path)
    settings = bert.training.get("settings")
    stored = settings.get("max_length") if isinstance(settings, dict) else None
    longest = stored if type(stored) is int else bert.config.max_sequence_length
    return Fitted(bert, task, longest)


def _task(bert: Bert, task: Task | str | None, *, where: Path) -> Task:
    if isinstance(task, str):
        return task_class(task).from_dict({}, bert.labels)
    try:
        return task or task_of(bert)
    except CheckpointError as error:
        raise CheckpointError(
            error.what, where=where, expected=error.expected, hint=error.hint
        ) from error


def _with_options(task: Task, reading: Mapping[str, Any]) -> Task:
    known = [field.name for field in dataclasses.fields(task) if field.name != "labels"]
    for name, value in reading.items():
        if name not in known:
            raise ConfigError(
                f"{name}={value!r} has no meaning for the task {task.kind!r}",
                expected=f"one of {', '.join(known)}",
            )
    return dataclasses.replace(task, **reading)
