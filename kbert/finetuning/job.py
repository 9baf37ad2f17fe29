"""A task, its rows and a compiled model → trained, scored on dev, and saved."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import io
from ..checkpoints import save
from ..model import Bert
from ..objective import TrainingModel
from ..tasks import Rows, Task, row_outputs, steps_per_epoch, training_batches
from ..training.board import Board
from ..training.curves import can_draw
from ..training.folder import description, versions
from ..training.journal import read_log, rewind_log
from ..training.recorder import Recorder, Rhythm
from ..training.state import resume_state
from ..training.strategies import Devices
from .best import best_line, forget_worse, is_over, keep_best, restore_best
from .results import (
    DEV,
    METRICS,
    MODEL,
    FineTuned,
    Moment,
    Progress,
    forget_steps,
    run_metrics,
)
from .scoring import BATCH_SIZE
from .settings import FineTuningSettings

# Losses that say of nothing whether it is right or wrong.
_NO_ACCURACY = ("squared", "crf")


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """The dev set.

    Args:
        examples: of the task, with what is right.
        rows: of them.
    """

    examples: Sequence[Any]
    rows: Rows


class Evaluation(NamedTuple):
    """What some weights say of the dev set.

    Args:
        task: as tuned on dev.
        guesses: of each example.
        figures: the official ones; none without a dev set.
    """

    task: Task
    guesses: Sequence[Any]
    figures: Mapping[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One run from its newest checkpoint to its end.

    Args:
        run: the folder.
        task: that knows its labels.
        train: rows to learn from.
        dev: what it is measured on, if there is anything.
        settings: of the run.
        rhythm: its length in steps, and what happens when.
        devices: what shares the work.
        bert: what is trained; its config is the one to be saved.
        model: of it, compiled.
        progress: told of each step.
    """

    run: Path
    task: Task
    train: Rows
    dev: HeldOut | None
    settings: FineTuningSettings
    rhythm: Rhythm
    devices: Devices
    bert: Bert
    model: TrainingModel
    progress: Progress

    def fit(self, check_stop: Callable[[], None]) -> Evaluation | None:
        """Go on from the newest checkpoint to the end, be it early.

        Returns:
            The evaluation of the weights that are kept, if it happened here.
        """
        step, means = resume_state(self.model, self.run, self.devices)
        lines = [line for line in read_log(self.run) if line["step"] <= step]
        if self.devices.writes:
            rewind_log(self.run, step=step)
        steps, settings = self.rhythm.steps, self.settings
        if step >= steps or self.is_over(lines):
            return None
        micro = settings.batch_size // settings.accumulate
        batches = self.devices.distribute(
            lambda: training_batches(
                self.train,
                batch_size=micro,
                seed=settings.seed,
                start_step=step * settings.accumulate,
                bucketed=settings.bucketed,
                host=self.devices.host,
                num_hosts=self.devices.hosts,
            )
        )
        with Board(self.run / "tensorboard", on=self.devices.writes) as board:
            watch = _Watch(self, lines)
            recorder = self._recorder(step, means, watch, board.add, check_stop)
            self.model.fit(
                batches,
                steps_per_epoch=(steps - step) * settings.accumulate,
                callbacks=[recorder],
                verbose=0,
                shuffle=False,
            )
        return watch.kept

    def finish(self, evaluation: Evaluation | None) -> FineTuned:
        """Write what the run leaves.

        Args:
            evaluation: of the weights that are kept; without it they are scored.
        """
        self.devices.gather(0)  # before all hosts are here, the best may be unwritten
        lines = read_log(self.run)
        kept = self._kept_line(lines)
        if kept["step"] < lines[-1]["step"]:
            restore_best(self.bert, self.run, step=kept["step"])
        evaluation = evaluation or self.evaluate()
        task, guesses = evaluation.task, evaluation.guesses
        self.devices.gather(0)  # before all hosts are here, one may still read the best
        metrics = run_metrics(
            task,
            self.settings,
            line=kept,
            dev=evaluation.figures,
        )
        trained = dataclasses.replace(
            self.bert,
            training={**description(self.run), **metrics, "versions": versions()},
        )
        if self.devices.writes:
            save(trained, self.run / MODEL, overwrite=True)
            if self.dev is not None:
                with io.atomic_directory(self.run / DEV, overwrite=True) as folder:
                    task.write(folder, self.dev.examples, guesses)
                    task.report(folder, self.dev.examples, guesses)
            io.write_json(self.run / METRICS, metrics)
            forget_steps(self.run)
        return FineTuned(self.run, trained, task, metrics)

    # === Between the steps ===

    def _recorder(
        self,
        step: int,
        means: Sequence[Any],
        watch: "_Watch",
        on_line: Callable[[dict[str, Any]], None],
        check_stop: Callable[[], None],
    ) -> Recorder:
        units = len(self.train) // self.train.choices
        tokens = self.train.lengths.sum() / units * self.settings.batch_size
        figures = ("loss", "accuracy", self.task.main_figure, "learning_rate")
        return Recorder(
            run=self.run,
            rhythm=self.rhythm,
            step=step,
            end=self.rhythm.steps,
            tokens=round(tokens),
            means=means,
            lines=watch.lines,
            figures=self._figures,
            panels={name: name.replace("_", " ") for name in figures},
            evaluate=None if self.dev is None else watch.evaluate,
            on_evaluated=watch.on_evaluated,
            on_saved=watch.on_saved,
            writes=self.devices.writes,
            draw=can_draw(),
            on_line=on_line,
            progress=self._tell,
            check_stop=check_stop,
        )

    def _tell(self, step: int, tokens: int, means: Mapping[str, Any]) -> None:
        loss = means.get(f"{self.task.head}_loss")
        self.progress(Moment(self.run, step, self.rhythm.steps, tokens, loss))

    def _figures(self, step: int, means: Mapping[str, float]) -> dict[str, float]:
        """What a line of the log tells: exact means over the labels since the last."""
        names = ["loss"] if self.task.loss in _NO_ACCURACY else ["loss", "accuracy"]
        own = {name: f"{self.task.head}_{name}" for name in names}
        epoch = round(step * self.settings.accumulate / self._batches, 4)
        return {"epoch": epoch} | {
            name: means[mean] for name, mean in own.items() if mean in means
        }

    def is_over(self, lines: Sequence[dict[str, Any]]) -> bool:
        """Whether patience is at its end."""
        patience = self.settings.patience
        return is_over(lines, self.task.main_figure, patience=patience)

    # === Dev ===

    def evaluate(self) -> Evaluation:
        """Score the weights as they are now."""
        if self.dev is None:
            return Evaluation(self.task, [], {})
        examples, rows = self.dev.examples, self.dev.rows
        outputs = row_outputs(self.model, rows, batch_size=BATCH_SIZE)
        guesses = self.task.guesses(examples, rows, outputs, self.bert)
        task = self.task.tuned(examples, guesses)
        return Evaluation(task, guesses, task.score(examples, guesses))

    @property
    def keeps_best(self) -> bool:
        """Whether other weights than the last may be kept."""
        return self.dev is not None and self.settings.keep == "best"

    def _kept_line(self, lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The line of the weights that are kept."""
        best = best_line(lines, self.task.main_figure) if self.keeps_best else None
        return best or lines[-1]

    @property
    def _batches(self) -> int:
        """Of an epoch."""
        micro = self.settings.batch_size // self.settings.accumulate
        return steps_per_epoch(self.train, micro)


class _Watch:
    """What happens at the evaluations and checkpoints of a job.

    Args:
        job: that is going on.
        lines: of its log, which grow.
    """

    def __init__(self, job: Job, lines: list[dict[str, Any]]) -> None:
        self.lines = lines
        self.kept: Evaluation | None = None
        self._job = job

    def evaluate(self) -> Mapping[str, float]:
        self._newest = self._job.evaluate()
        return self._newest.figures

    def on_evaluated(self) -> bool:
        """Keep the weights if they are the best, and see whether that was all."""
        job, best = self._job, self._best
        better = best is self.lines[-1]
        if better or not job.keeps_best:
            self.kept = self._newest
        better = better and job.keeps_best
        if better and job.devices.writes:
            keep_best(job.bert, job.run, step=best["step"])
        job.model.stop_training = job.is_over(self.lines)
        return better or job.model.stop_training

    def on_saved(self) -> None:
        if self._best is not None and self._job.devices.writes:
            forget_worse(self._job.run, step=self._best["step"])

    @property
    def _best(self) -> dict[str, Any] | None:
        return best_line(self.lines, self._job.task.main_figure)
