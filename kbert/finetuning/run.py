"""A task, a model and labelled files → a run folder with a fine-tuned, scored model."""

import dataclasses
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras

from .. import io
from ..checkpoints import load
from ..errors import ConfigError, InputError, KbertWarning
from ..interruption import stop_between_steps
from ..model import Bert
from ..optimizers import AdamW
from ..readers.source import check_reopenable
from ..task_model import build_task_model
from ..tasks import Rows, Task, steps_per_epoch
from ..training.folder import describe, held, weights_digest
from ..training.memory import naming_full_memory
from ..training.recorder import Rhythm
from ..training.settings import POLICIES, check_division
from ..training.strategies import Devices, open_devices, stop_together
from .job import HeldOut, Job
from .results import MODEL, FineTuned, Progress, finished_metrics, forget_steps
from .settings import FineTuningSettings
from .start import freeze, longest_row, rate_factors, starting_model

GO_ON = "Everything up to here is saved: run the same command with --resume."


def finetune(
    task: Task,
    model: str | os.PathLike[str],
    *,
    train: str | os.PathLike[str],
    dev: str | os.PathLike[str] | None,
    output: str | os.PathLike[str],
    settings: FineTuningSettings | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FineTuned:
    """Train a model with a new head on a labelled file, and score it on another one.

    Killed at any moment, it goes on with ``resume`` and ends with the same bits, on the
    same kind of machine.

    Args:
        task: what is learned, such as ``kbert.tasks.Classification()``.
        model: what to begin with, see ``kbert.load``.
        train: the file to learn from.
        dev: the file that picks the best weights; ``None`` keeps the last ones.
        output: the run's folder: ``model/``, which ``kbert.load``, ``kbert.evaluate``
            and ``kbert.predict`` take; ``metrics.json``; ``dev/`` with guesses and
            reports; ``log.jsonl``, ``curves.png`` (with the extra ``plots``),
            ``tensorboard/``, ``run.json``. While it goes on also ``checkpoints/`` and
            ``best/``.
        settings: of the training; by default the paper's.
        resume: go on with what stands at ``output``.
        overwrite: replace what stands at ``output``.
        progress: told of each step.

    Returns:
        The model, the task, and the figures on dev.

    Raises:
        CheckpointError: the model is damaged, or has no part that the task reads.
        ConfigError: settings that do not fit; with ``resume``, one that has changed.
        InputError: a file is not what it has to be; the line is named.
        DivergedError: a gradient, a loss or a figure is not finite.
        TrainingError: the memory of a device is full, or another host is gone.
        OutputError: ``output`` is taken, in use, or cannot be written.
        Stopped: by SIGINT or SIGTERM, after a checkpoint.

    Warns:
        KbertWarning: the newest checkpoint is damaged; the one before is used.
    """
    run, settings = Path(output), settings or FineTuningSettings()
    if overwrite:
        io.refuse_inputs_inside(run, [model, train, *(() if dev is None else (dev,))])
    devices = open_devices(settings.strategy, devices=settings.devices)
    check_division(settings, devices.replicas)
    for name in ("patience", "evaluate_every"):
        if dev is None and getattr(settings, name) is not None:
            raise ConfigError(f"{name}={getattr(settings, name)} without a dev set")
    examples, held_out, task = read_examples(task, train=train, dev=dev)
    with (
        held(run, resume=resume, overwrite=overwrite, write=devices.writes),
        stop_between_steps(GO_ON) as check_stop,
    ):
        keras.utils.set_random_seed(settings.seed)
        with devices.scope(), devices.naming_lost_hosts(), naming_full_memory():
            start = prepare(task, model, examples, held_out, settings)
            what = _identity(start, task, data_identity(train, dev))
            describe(run, what, resume=resume, write=devices.writes)
            devices.gather(0)  # before all hosts are here, an older run may stand there
            if (metrics := finished_metrics(run)) is not None:
                return _finished(run, task, metrics, write=devices.writes)
            job = _job(run, task, start, devices, progress)
            return job.finish(job.fit(stop_together(check_stop, devices)))


class Start(NamedTuple):
    """What a run begins with, all of it checked.

    Args:
        settings: that say how long a row may be.
        bert: the model, with a head of random weights.
        train: rows to learn from.
        dev: what the model is measured on, if there is anything.
    """

    settings: FineTuningSettings
    bert: Bert
    train: Rows
    dev: HeldOut | None


def prepare(
    task: Task,
    model: str | os.PathLike[str],
    examples: Sequence[Any],
    held_out: Sequence[Any] | None,
    settings: FineTuningSettings,
) -> Start:
    """Load the model and make the rows: all that can be wrong before a run begins.

    Args:
        task: that knows its labels.
        model: see ``kbert.load``.
        examples, held_out: see ``read_examples``.
        settings: of the run.

    Raises:
        KbertError: as from ``finetune``.
    """
    bert = starting_model(model, task, settings, dtype=POLICIES[settings.compute_dtype])
    longest = longest_row(settings, bert, where=model)

    def rows(examples: Sequence[Any], *, training: bool) -> Rows:
        return task.rows(
            examples, bert.tokenizer, max_length=longest, training=training
        )

    train, dev = rows(examples, training=True), None
    if not len(train):
        raise InputError(
            "nothing can be learned from the training file", where=examples[0].source
        )
    if held_out is not None:
        dev = HeldOut(held_out, rows(held_out, training=False))
    settings = dataclasses.replace(settings, max_length=longest)
    return Start(settings, bert, train, dev)


def read_examples(
    task: Task,
    *,
    train: str | os.PathLike[str],
    dev: str | os.PathLike[str] | None,
) -> tuple[Sequence[Any], Sequence[Any] | None, Task]:
    """The examples of both files, and the task that knows their labels.

    Raises:
        InputError: a file is not what it has to be.

    Warns:
        KbertWarning: both files are the same.
    """
    for path in (train, dev):
        if path is not None:
            check_reopenable(os.fspath(path))
    examples = task.read(os.fspath(train))
    task = task.fitted(examples)
    if dev is None:
        return examples, None, task
    held_out = task.read(os.fspath(dev))
    task.check(held_out)
    task.check_dev(held_out)
    if io.file_entry(Path(train)) == io.file_entry(Path(dev)):
        warnings.warn(
            f"{os.fspath(dev)}: the same as the training file; its figures say nothing "
            "of other texts.",
            KbertWarning,
            stacklevel=2,
        )
    return examples, held_out, task


def data_identity(
    train: str | os.PathLike[str], dev: str | os.PathLike[str] | None
) -> dict[str, Any]:
    """What ``run.json`` says of the files."""
    files = {"train": train, "dev": dev}
    return {
        name: None if path is None else io.file_entry(Path(path))
        for name, path in files.items()
    }


def _identity(start: Start, task: Task, data: dict[str, Any]) -> dict[str, Any]:
    """Everything that decides what a run computes."""
    return {
        "task": {"kind": task.kind, **task.to_dict()},
        "labels": list(task.labels),
        "settings": start.settings.identity(),
        "config": start.bert.config.to_dict(),
        "data": data,
        # Without the head, which is random.
        "weights": weights_digest(dataclasses.replace(start.bert, heads={})),
    }


def _job(
    run: Path,
    task: Task,
    start: Start,
    devices: Devices,
    progress: Progress | None,
) -> Job:
    """A model that is compiled to learn from the rows, and what happens when."""
    settings, bert, train, dev = start
    rhythm = settings.rhythm(
        steps_per_epoch(train, settings.batch_size // settings.accumulate)
    )
    freeze(bert, settings.freeze_layers)
    model = build_task_model(
        bert,
        task.head,
        loss=task.loss,
        expected_labels=train.mean_weight(task.head),
    )
    model.compile(_optimizer(settings, bert, rhythm), jit_compile=devices.compiles)
    return Job(
        run=run,
        task=task,
        train=train,
        dev=dev,
        settings=settings,
        rhythm=rhythm,
        devices=devices,
        bert=bert,
        model=model,
        progress=progress or (lambda moment: None),
    )


def _optimizer(settings: FineTuningSettings, bert: Bert, rhythm: Rhythm) -> AdamW:
    accumulate = settings.accumulate if settings.accumulate > 1 else None
    return AdamW(
        settings.schedule(rhythm.steps),
        weight_decay=settings.weight_decay,
        bias_correction=settings.bias_correction,
        global_clipnorm=settings.clip_norm or None,
        gradient_accumulation_steps=accumulate,
        rate_factors=rate_factors(bert.config, settings.layer_decay),
    )


def _finished(
    run: Path, task: Task, metrics: dict[str, Any], *, write: bool
) -> FineTuned:
    """A run that has ended, as it left its folder."""
    if write:
        forget_steps(run)  # a kill may have come first
    bert = load(run / MODEL)
    return FineTuned(run, bert, restored_task(task, bert), metrics)


def restored_task(task: Task, bert: Bert) -> Task:
    """A task of the same class, as it stands in a run's model."""
    fields = {**bert.training["task"]}
    del fields["kind"]
    return type(task).from_dict(fields, bert.labels)
