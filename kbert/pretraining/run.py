"""Pretraining data → a run folder with log, curves, checkpoints, and a model."""

import os
from pathlib import Path
from typing import Any

import keras

from .. import io
from ..config import BertConfig
from ..interruption import stop_between_steps
from ..model import Bert
from ..objective import build_pretraining_model
from ..optimizers import AdamW, Lamb
from ..pretraining_data import PretrainingData
from ..training.folder import describe, held, weights_digest
from ..training.memory import naming_full_memory
from ..training.recorder import Progress
from ..training.settings import POLICIES, check_division
from ..training.strategies import open_devices, stop_together
from .job import Job, own_shards
from .settings import PretrainingSettings
from .start import (
    check_lengths,
    check_masking,
    check_phases,
    is_model,
    starting_model,
)

_GO_ON = "Everything up to here is saved: run the same command with --resume."


def pretrain(
    data: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    config: str | os.PathLike[str] | BertConfig,
    settings: PretrainingSettings,
    resume: bool = False,
    overwrite: bool = False,
    keep: int = 2,
    progress: Progress | None = None,
) -> Bert:
    """Train a BERT on what ``create_pretraining_data`` made, or Google's own script.

    Killed at any moment, it goes on with ``resume`` and ends with the same bits, on the
    same kind of machine.

    Args:
        data: the folder of rows.
        output: the run's folder: ``run.json`` (settings), ``log.jsonl``, ``curves.png``
            (with the extra ``plots``), ``tensorboard/``, ``checkpoints/``, and at the
            end ``model/``, which ``kbert.load`` takes.
        config: a size, a config, a JSON file of one, or a model to continue from.
        settings: of the training.
        resume: go on with what stands at ``output``.
        overwrite: replace what stands at ``output``.
        keep: checkpoints to keep, the newest ones.
        progress: called after each step with its number, its tokens and the means of
            the losses since the last line of the log.

    Returns:
        The trained model.

    Raises:
        ConfigError: settings that do not fit; with ``resume``, one that has changed.
        InputError: data are damaged; the shard and the record are named.
        DivergedError: a gradient or a loss is not finite; step and tensor are named.
        TrainingError: the memory of a device is full, or another host is gone.
        OutputError: ``output`` is taken, in use, or cannot be written.
        Stopped: by SIGINT or SIGTERM, after a checkpoint.

    Warns:
        KbertWarning: the newest checkpoint is damaged; the one before is used.
    """
    run = Path(output)
    if overwrite:
        own = () if isinstance(config, BertConfig) else (config,)
        io.refuse_inputs_inside(run, [data, *own])
    devices = open_devices(settings.strategy, devices=settings.devices)
    check_division(settings, devices.replicas)
    rows = PretrainingData.open(data, verify=False)
    settings = settings.resolve(rows.lengths, hosts=devices.hosts)
    for phase in settings.phases:
        rows.verify(own_shards(rows, phase.length, devices))
        rows.verify(rows.shards(phase.length, "evaluation"))
    check_phases(settings, rows)
    check_masking(settings, rows)
    with (
        held(run, resume=resume, overwrite=overwrite, write=devices.writes),
        stop_between_steps(_GO_ON) as check_stop,
    ):
        keras.utils.set_random_seed(settings.seed)
        with devices.scope(), devices.naming_lost_hosts(), naming_full_memory():
            dtype = POLICIES[settings.compute_dtype]
            bert = starting_model(config, rows, dtype=dtype, dropout=settings.dropout)
            lengths = [phase.length for phase in settings.phases]
            check_lengths(bert, lengths, where=rows.path)
            what = _identity(settings, bert, rows, continued=is_model(config))
            describe(run, what, resume=resume, write=devices.writes)
            devices.gather(0)  # before all hosts are here, an older run may stand there
            model = build_pretraining_model(bert)
            model.compile(_optimizer(settings), jit_compile=devices.compiles)
            job = Job(
                run=run,
                rows=rows,
                settings=settings,
                devices=devices,
                bert=bert,
                model=model,
                keep=keep,
                progress=progress or (lambda *_: None),
            )
            job.train(stop_together(check_stop, devices))
            return job.finish()


def _identity(
    settings: PretrainingSettings, bert: Bert, rows: PretrainingData, *, continued: bool
) -> dict[str, Any]:
    """Everything that decides what a run computes."""
    # Who shares the work is free: a run may go on elsewhere.
    kept = {**settings.to_dict(), "strategy": None}
    del kept["devices"]
    if settings.decay != "polynomial":
        del kept["decay_power"]
    if rows.static_masks:
        kept["masking"] = None
    data = {
        "objective": rows.objective,
        "manifest": rows.manifest.get("sha256"),
        "vocabulary": rows.vocabulary.digest if rows.vocabulary else None,
    }
    if data["manifest"] is None:  # Google's own files
        shards = [shard for length in rows.lengths for shard in rows.shards(length)]
        data["shards"] = {shard.path.name: shard.records for shard in shards}
    identity = {"settings": kept, "config": bert.config.to_dict(), "data": data}
    return {**identity, "weights": weights_digest(bert)} if continued else identity


def _optimizer(settings: PretrainingSettings) -> keras.optimizers.Optimizer:
    options = {
        "weight_decay": settings.weight_decay,
        "global_clipnorm": settings.clip_norm or None,
        "gradient_accumulation_steps": (
            settings.accumulate if settings.accumulate > 1 else None
        ),
    }
    if settings.optimizer == "lamb":
        return Lamb(settings.schedule(), **options)
    correction = settings.bias_correction
    return AdamW(settings.schedule(), bias_correction=correction, **options)
