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
from ..errors import CheckpointError, ConfigError, OutputError
from ..model import Bert
from ..task_model import build_task_model
from ..tasks import Rows, Task, row_outputs, task_class, task_of
from ..tasks.frozen import FrozenModel
from ..tasks.predictions import check_ending
from ..training.folder import has_begun
from ..training.settings import POLICIES, ComputeDtype, check_choice, check_count
from ..training.strategies import OneDevice
from .fitting import fit_to_heads
from .reading import that_apply, told_by_file, with_options
from .results import METRICS, MODEL

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
            something else. If it does not name its classes either, they are those of
            the GLUE task, or the numbers from 0.
        reading: options of the task that are others for this file, such as
            ``{"text_column": "review"}``. All else is read as in training, except for
            what the file cannot have, such as columns in lines.
        max_length: most tokens of a row; by default that of the training.
        batch_size: rows at once.
        compute_dtype: arithmetic of the products.
        overwrite: replace what stands at ``output``.
        progress: told of rows, and of their tokens, that are done.

    Returns:
        The figures, as the task's official scorer gives them.

    Raises:
        CheckpointError: the model is damaged, or its head does not fit the task.
        ConfigError: the task has no such option.
        InputError: the file is not what it has to be, or has labels that the model
            does not know; the line is named.
        OutputError: ``output`` is taken, or cannot be written.
    """
    _check_work(compute_dtype, batch_size)
    if output is not None:
        _check_output(output, overwrite=overwrite)
        io.check_replaceable(output)
        if overwrite:
            io.refuse_inputs_inside(output, [source, file])
    fitted = open_fitted(
        source, file, task=task, reading=reading, dtype=POLICIES[compute_dtype]
    )
    examples = fitted.task.read(os.fspath(file))
    fitted = fitted.told_by(examples)
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
        output: a file or a folder, as the task writes it; folders above are made.

    Returns:
        How many examples there were; none is left out.

    Raises:
        KbertError: as from ``kbert.evaluate``.
    """
    _check_work(compute_dtype, batch_size)
    _check_output(output, overwrite=overwrite)
    if overwrite and not Path(output).is_dir():
        io.refuse_inputs_inside(output, [file])
    fitted = open_fitted(
        source,
        file,
        task=task,
        reading=reading,
        gold=False,
        dtype=POLICIES[compute_dtype],
    )
    check_ending(Path(output), fitted.task.prediction_endings)
    examples = fitted.task.read(os.fspath(file), gold=False)
    fitted = fitted.told_by(examples)
    guesses = fitted.guesses(
        examples, max_length=max_length, batch_size=batch_size, progress=progress
    )
    with io.writing(output):
        Path(output).parent.mkdir(parents=True, exist_ok=True)
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

    def told_by(self, examples: Sequence[Any]) -> "Fitted":
        """The same, knowing what only the examples tell."""
        return dataclasses.replace(self, task=told_by_file(self.task, examples))

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
    file: str | os.PathLike[str] | None = None,
    *,
    task: Task | str | None = None,
    reading: Mapping[str, Any] | None = None,
    gold: bool = True,
    dtype: str = "float32",
) -> Fitted:
    """Load a run's model, or any fine-tuned one, and the task that it is for.

    Args:
        source, task, reading: see ``kbert.evaluate``.
        file: that the task is to read, if it is known.
        gold: whether the file has to say what is right.
        dtype: Keras dtype policy.
    """
    path = Path(source)
    if (path / MODEL).is_dir():
        path = path / MODEL
    elif has_begun(path):
        raise CheckpointError(
            "is a run that has not ended",
            where=path,
            hint="Repeat the command that began it, with --resume (resume=True in "
            "Python).",
        )
    bert = load(path, dtype=dtype)
    own, told = _task(bert, task, where=path), reading or {}
    if file is not None and (task is None or isinstance(task, str)):
        told = that_apply(own, told, file, gold=gold)
    task = fit_to_heads(with_options(own, told), bert, where=path)
    if bert.tokenizer is None:
        raise CheckpointError("has no vocabulary, so it cannot read text", where=path)
    settings = bert.training.get("settings")
    stored = settings.get("max_length") if isinstance(settings, dict) else None
    longest = stored if type(stored) is int else bert.config.max_sequence_length
    return Fitted(bert, task, longest)


def _task(bert: Bert, task: Task | str | None, *, where: Path) -> Task:
    if isinstance(task, str):
        own = bert.training.get("task")
        if not isinstance(own, dict) or own.get("kind") != task:
            return task_class(task)()
        task = None
    try:
        return task or task_of(bert)
    except CheckpointError as error:
        raise CheckpointError(
            error.what, where=where, expected=error.expected, hint=error.hint
        ) from error


def _check_work(compute_dtype: str, batch_size: int) -> None:
    check_choice("compute_dtype", compute_dtype, list(POLICIES))
    check_count("batch_size", batch_size)


def _check_output(output: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse, before anything is computed, what cannot be written to."""
    if os.fspath(output) == "-":
        raise OutputError(
            "standard output is not written to",
            where=output,
            expected="the name of a file or a folder",
        )
    io.refuse_existing(output, overwrite=overwrite)
    io.check_place(output)
