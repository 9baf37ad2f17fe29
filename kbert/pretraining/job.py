"""A compiled model and its data → trained, phase by phase, and saved."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path

from ..checkpoints import save
from ..model import Bert
from ..objective import TrainingModel
from ..pretraining_data import PretrainingData, Shard
from ..training.board import Board
from ..training.curves import can_draw
from ..training.folder import description, versions
from ..training.journal import read_log, rewind_log
from ..training.recorder import Progress, Recorder, Rhythm
from ..training.state import resume_state
from ..training.strategies import Devices
from .damage import naming_bad_records
from .dataset import evaluation_dataset, record_format, training_dataset
from .settings import Phase, PretrainingSettings

MODEL = "model"
_PANELS = {
    "masked_lm_loss": "masked tokens: loss (nats)",
    "masked_lm_accuracy": "masked tokens: accuracy",
    "next_sentence_accuracy": "next sentence: accuracy",
    "learning_rate": "learning rate",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One run from its newest checkpoint to its end.

    Args:
        run: the folder.
        rows: the data.
        settings: resolved ones.
        devices: what shares the work.
        bert: what is trained.
        model: of it, compiled.
        keep: checkpoints to keep.
        progress: told of each step, see ``Recorder``.
    """

    run: Path
    rows: PretrainingData
    settings: PretrainingSettings
    devices: Devices
    bert: Bert
    model: TrainingModel
    keep: int
    progress: Progress

    def train(self, check_stop: Callable[[], None]) -> None:
        """Go through the phases, from where the newest checkpoint is."""
        step, means = resume_state(self.model, self.run, self.devices)
        lines = rewind_log(self.run, step=step) if self.devices.writes else []
        with Board(self.run / "tensorboard", on=self.devices.writes) as board:
            for phase, start, end in self.settings.spans():
                if step >= end:
                    continue
                recorder = Recorder(
                    run=self.run,
                    rhythm=self._rhythm(),
                    step=step,
                    end=end,
                    tokens=self.settings.batch_size * phase.length,
                    means=means,
                    lines=lines,
                    figures=_figures_at(phase.length),
                    panels=_PANELS,
                    evaluate=self._evaluation(phase),
                    writes=self.devices.writes,
                    draw=can_draw(),
                    on_line=board.add,
                    progress=self.progress,
                    check_stop=check_stop,
                )
                self._fit(phase, recorder, done=step - start, steps=end - step)
                step, means = end, []

    def finish(self) -> Bert:
        """Write the model directory, with what was measured at the end."""
        lines = read_log(self.run)
        last = {**lines[-1]} if lines else {}
        trained = Bert(
            self.bert.config,
            self.bert.encoder,
            self.bert.tokenizer,
            self.bert.heads,
            training={
                **description(self.run),
                "metrics": last,
                "versions": versions(),
            },
        )
        if self.devices.writes:
            save(trained, self.run / MODEL, overwrite=True)
        return trained

    def _rhythm(self) -> Rhythm:
        settings = self.settings
        return Rhythm(
            steps=settings.steps,
            accumulate=settings.accumulate,
            log_every=settings.log_every,
            evaluate_every=settings.evaluate_every,
            save_every=settings.save_every,
            on_nonfinite=settings.on_nonfinite,
            keep=self.keep,
        )

    def _fit(self, phase: Phase, recorder: Recorder, *, done: int, steps: int) -> None:
        settings, devices = self.settings, self.devices
        micro = settings.batch_size // settings.accumulate
        self.model.expected_labels["masked_lm"] = self._expected_predictions(phase)
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
        own = own_shards(self.rows, phase.length, devices)
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
            del figures["loss"]
            return _with_perplexity(figures)

        return evaluate

    def _expected_predictions(self, phase: Phase) -> float:
        """Masked tokens of an average row, see ``TrainingModel``."""
        shards = self.rows.shards(phase.length)
        records = sum(shard.records for shard in shards)
        tokens = sum(shard.tokens or shard.records * phase.length for shard in shards)
        if self.rows.static_masks:
            slots, rate = self.rows.max_predictions(phase.length), 0.15
        else:
            masking = self.settings.masking
            slots, rate = masking.slots(phase.length), masking.mask_rate
        return float(min(slots, rate * tokens / records))


def _figures_at(
    length: int,
) -> Callable[[int, Mapping[str, float]], dict[str, float]]:
    """What a line of the log tells of a step at this length."""
    return lambda step, means: {"length": length, **_with_perplexity(means)}


def _with_perplexity(means: Mapping[str, float]) -> dict[str, float]:
    """The figures, ``masked_lm_perplexity`` among them: e to the loss."""
    figures = {name: float(value) for name, value in means.items()}
    loss = figures.get("masked_lm_loss")
    if loss is not None:
        figures["masked_lm_perplexity"] = math.exp(min(loss, 700.0))
    return figures


def own_shards(
    rows: PretrainingData, length: int, devices: Devices
) -> tuple[Shard, ...]:
    """Those that ``training_dataset`` reads on this host."""
    return rows.shards(length)[devices.host :: devices.hosts]
