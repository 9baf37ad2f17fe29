"""Pretraining data → a run folder with log, curves, checkpoints, and a model."""

import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .. import __version__, io
from ..checkpoints import save
from ..config import BertConfig, read_json_object
from ..errors import ConfigError
from ..fingerprints import check_same
from ..interruption import stop_between_steps
from ..model import Bert
from ..objective import PretrainingModel, build_pretraining_model
from ..optimizers import AdamW, LearningRate
from ..pretraining_data import PretrainingData, Shard
from .board import Board
from .curves import can_draw
from .damage import naming_bad_records
from .dataset import evaluation_dataset, record_format, training_dataset
from .journal import read_log, rewind_log
from .recorder import Progress, Recorder
from .settings import Phase, PretrainingSettings
from .start import check_lengths, starting_model
from .state import newest_state, restore
from .strategies import Devices, open_devices, stop_together

RUN, MODEL = "run.json", "model"
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
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
        TrainingError: a gradient or a loss is not finite; step and tensor are named.
        OutputError: ``output`` is taken, in use, or cannot be written.
        Stopped: by SIGINT or SIGTERM, after a checkpoint.
    """
    run = Path(output)
    devices = open_devices(settings.strategy, devices=settings.devices)
    settings.check_division(devices.replicas)
    rows = PretrainingData.open(data, verify=False)
    settings = settings.resolve(rows.lengths, hosts=devices.hosts)
    for phase in settings.phases:
        rows.verify(_own_shards(rows, phase, devices))
        rows.verify(rows.shards(phase.length, "evaluation"))
    if not resume and devices.writes:
        io.refuse_existing(run, overwrite=overwrite)
        io.remove(run) if overwrite else None
    with io.writing(run):
        run.mkdir(parents=True, exist_ok=True)
    with _locked(run, devices), stop_between_steps(_GO_ON) as check_stop:
        keras.utils.set_random_seed(settings.seed)
        with devices.scope(), devices.naming_lost_hosts():
            dtype = _POLICIES[settings.compute_dtype]
            bert = starting_model(config, rows, dtype=dtype, dropout=settings.dropout)
            lengths = [phase.length for phase in settings.phases]
            check_lengths(bert, lengths, where=rows.path)
            _describe(run, settings, bert, rows, resume=resume, devices=devices)
            model = build_pretraining_model(bert)
            model.compile(_optimizer(settings), jit_compile=devices.compiles)
            job = _Job(run, rows, settings, devices, bert, model, keep, progress)
            job.train(stop_together(check_stop, devices))
            return job.finish()


class _Job:
    """One run from its newest checkpoint to its end."""

    def __init__(
        self,
        run: Path,
        rows: PretrainingData,
        settings: PretrainingSettings,
        devices: Devices,
        bert: Bert,
        model: PretrainingModel,
        keep: int,
        progress: Progress | None,
    ) -> None:
        self.run, self.rows, self.settings = run, rows, settings
        self.devices, self.bert, self.model = devices, bert, model
        self.keep, self.progress = keep, progress or (lambda *_: None)
        self.draw = can_draw()
        if not self.draw and devices.writes:
            _say("No curves.png: pip install 'kbert[plots]' draws it.")

    def train(self, check_stop: Callable[[], None]) -> None:
        """Go through the phases, from where the newest checkpoint is."""
        step, means = self._restored()
        lines = rewind_log(self.run, step=step) if self.devices.writes else []
        with Board(self.run / "tensorboard", on=self.devices.writes) as board:
            for phase, start, end in self.settings.spans():
                if step >= end:
                    continue
                recorder = Recorder(
                    run=self.run,
                    settings=self.settings,
                    step=step,
                    length=phase.length,
                    means=means,
                    lines=lines,
                    evaluate=self._evaluation(phase),
                    writes=self.devices.writes,
                    keep=self.keep,
                    draw=self.draw,
                    on_line=board.add,
                    progress=self.progress,
                    check_stop=check_stop,
                )
                self._fit(phase, recorder, done=step - start, steps=end - step)
                step, means = end, {}

    def finish(self) -> Bert:
        """Write the model directory, with what was measured at the end."""
        lines = read_log(self.run)
        description = read_json_object(self.run / RUN)
        last = {**lines[-1]} if lines else {}
        trained = Bert(
            self.bert.config,
            self.bert.encoder,
            self.bert.tokenizer,
            self.bert.heads,
            training={**description, "metrics": last, "versions": _versions()},
        )
        if self.devices.writes:
            save(trained, self.run / MODEL, overwrite=True)
        return trained

    def _restored(self) -> tuple[int, dict[str, np.ndarray]]:
        self.model.optimizer.build(self.model.trainable_variables)
        found = newest_state(self.run, warn=_say)
        steps = self.devices.gather(found[0] if found else 0)
        if len(set(steps)) > 1:
            raise ConfigError(
                f"the hosts see checkpoints of the steps {steps}",
                where=self.run,
                expected="the same on all hosts",
                hint="Give them an output folder that they share.",
            )
        if found is None:
            return 0, {}
        step, arrays = found
        restore(self.model, arrays, where=self.run)
        means = {
            variable.path: arrays[name]
            for name, variable in _metric_variables(self.model).items()
        }
        return step, means

    def _fit(self, phase: Phase, recorder: Recorder, *, done: int, steps: int) -> None:
        settings, devices = self.settings, self.devices
        micro = settings.batch_size // settings.accumulate
        self.model.expected_predictions = self._expected_predictions(phase)
        # Each phase has its own static shape, hence its own compiled step.
        self.model.make_train_function(force=True)
        self.model.make_test_function(force=True)
        batches = devices.distribute(
            lambda: training_dataset(
                self.rows,
                length=phase.length,
                batch_size=micro,
                masking=None if self.rows.static_masks else settings.masking,
                seed=settings.seed,
                start_step=done * settings.accumulate,
                streams=settings.streams,
                host=devices.host,
                num_hosts=devices.hosts,
                vocabulary_size=self.bert.config.vocabulary_size,
            )
        )
        form = record_format(
            self.rows,
            phase.length,
            vocabulary_size=self.bert.config.vocabulary_size,
        )
        own = _own_shards(self.rows, phase, devices)
        with naming_bad_records(own, form):
            self.model.fit(
                batches,
                steps_per_epoch=steps * settings.accumulate,
                callbacks=[recorder],
                verbose=0,
                shuffle=False,
            )

    def _evaluation(self, phase: Phase) -> Callable[[], Mapping[str, float]] | None:
        held_out = self.rows.shards(phase.length, "evaluation")
        if not held_out:
            return None
        settings = self.settings
        batch_size = settings.batch_size // settings.accumulate
        records = sum(shard.records for shard in held_out)
        batches = self.devices.distribute_evaluation(
            evaluation_dataset(
                self.rows,
                length=phase.length,
                batch_size=batch_size,
                masking=None if self.rows.static_masks else settings.masking,
                seed=settings.seed,
                vocabulary_size=self.bert.config.vocabulary_size,
            )
        )

        def evaluate() -> Mapping[str, float]:
            figures = self.model.evaluate(
                batches,
                steps=math.ceil(records / batch_size),
                verbose=0,
                return_dict=True,
            )
            return {name: value for name, value in figures.items() if name != "loss"}

        return evaluate

    def _expected_predictions(self, phase: Phase) -> float:
        """Masked tokens of an average row, see ``PretrainingModel``."""
        shards = self.rows.shards(phase.length)
        records = sum(shard.records for shard in shards)
        tokens = sum(shard.tokens or shard.records * phase.length for shard in shards)
        if self.rows.static_masks:
            slots, rate = self.rows.max_predictions(phase.length), 0.15
        else:
            masking = self.settings.masking
            slots, rate = masking.slots(phase.length), masking.mask_rate
        return float(min(slots, rate * tokens / records))


def _own_shards(
    rows: PretrainingData, phase: Phase, devices: Devices
) -> tuple[Shard, ...]:
    """Those that ``training_dataset`` reads on this host."""
    return rows.shards(phase.length)[devices.host :: devices.hosts]


@contextlib.contextmanager
def _locked(run: Path, devices: Devices) -> Iterator[None]:
    """Only the host that writes holds the folder."""
    with io.lock(run) if devices.writes else contextlib.nullcontext():
        yield


def _describe(
    run: Path,
    settings: PretrainingSettings,
    bert: Bert,
    rows: PretrainingData,
    *,
    resume: bool,
    devices: Devices,
) -> None:
    """Write down what the run is, or check that it is still that."""
    # Who shares the work is free: a run may go on elsewhere.
    kept = {**settings.to_dict(), "strategy": None}
    del kept["devices"]
    now = {
        "settings": kept,
        "config": bert.config.to_dict(),
        "data": {
            "objective": rows.objective,
            "manifest": rows.manifest.get("sha256"),
            "vocabulary": rows.vocabulary.digest if rows.vocabulary else None,
        },
    }
    path = run / RUN
    if resume and path.exists():
        hint = "Resume with the settings that it began with, or start another run."
        check_same(read_json_object(path), _as_json(now), where=run, hint=hint)
    elif resume:
        raise ConfigError(
            "no run to resume", where=run, hint="Leave out --resume to start one."
        )
    elif devices.writes:
        io.write_json(path, now)


def _as_json(value: Any) -> Any:
    """Tuples as lists, as they come back from a file."""
    if isinstance(value, Mapping):
        return {key: _as_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(part) for part in value]
    return value


def _optimizer(settings: PretrainingSettings) -> keras.optimizers.Optimizer:
    rate = LearningRate(
        settings.learning_rate,
        steps=settings.steps,
        warmup_steps=settings.warmup_steps,
        decay=settings.decay,
    )
    accumulate = settings.accumulate if settings.accumulate > 1 else None
    clip_norm = settings.clip_norm or None
    if settings.optimizer == "lamb":
        optimizer = keras.optimizers.Lamb(
            rate,
            weight_decay=settings.weight_decay,
            global_clipnorm=clip_norm,
            gradient_accumulation_steps=accumulate,
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer
    return AdamW(
        rate,
        weight_decay=settings.weight_decay,
        bias_correction=settings.bias_correction,
        global_clipnorm=clip_norm,
        gradient_accumulation_steps=accumulate,
    )


def _metric_variables(model: PretrainingModel) -> dict[str, keras.Variable]:
    return {
        f"means/{number:04d}/{variable.path}": variable
        for number, variable in enumerate(model.metrics_variables)
    }


def _versions() -> dict[str, str]:
    versions = {"kbert": __version__, "keras": keras.__version__}
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        versions["tensorflow"] = tf.__version__
    return versions


def _say(message: str) -> None:
    print(message, file=sys.stderr)
