"""The Keras callback of a run: logs, evaluates, saves, and stops between two steps."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..errors import Stopped, TrainingError
from .curves import CURVES, draw_curves
from .journal import append_log
from .settings import PretrainingSettings
from .state import save_state

Progress = Callable[[int, int, Mapping[str, float]], None]


class Recorder(keras.callbacks.Callback):
    """Everything that happens between the steps of a run.

    At each step that is due for it, in this order: a line with the means since the
    last one, an evaluation, the curves, a checkpoint. After a crash the log is cut back
    to the checkpoint, so nothing stands in it twice.

    Args:
        run: the folder.
        settings: resolved ones.
        step: weight updates that were done before.
        length: T of this phase.
        means: running means of the checkpoint that is resumed, by name.
        lines: of the log so far; it is added to.
        evaluate: gives held-out figures; ``None`` if nothing is held out.
        writes: whether this host writes files.
        keep: checkpoints to keep.
        draw: whether curves are drawn.
        on_line: told of each new line.
        progress: told of each step: its number, its tokens, the means so far.
        check_stop: raises ``Stopped`` once a stop was asked for.
    """

    def __init__(
        self,
        *,
        run: Path,
        settings: PretrainingSettings,
        step: int,
        length: int,
        means: Mapping[str, np.ndarray],
        lines: list[dict[str, Any]],
        evaluate: Callable[[], Mapping[str, float]] | None,
        writes: bool,
        keep: int,
        draw: bool,
        on_line: Callable[[dict[str, Any]], None],
        progress: Progress,
        check_stop: Callable[[], None],
    ) -> None:
        super().__init__()
        self.run, self.settings, self.length = run, settings, length
        self.step, self.lines, self.evaluate = step, lines, evaluate
        self.writes, self.keep, self.draw = writes, keep, draw
        self.on_line, self.progress, self.check_stop = on_line, progress, check_stop
        self._means, self._batches = means, 0
        self._skipped, self._line_step = 0, step

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        counter = getattr(self.model.optimizer, "nonfinite_steps", None)
        self._skipped = 0 if counter is None else _number(counter)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        # fit has just set them to 0.
        for variable in self.model.metrics_variables:
            if variable.path in self._means:
                variable.assign(self._means[variable.path])
        self._means = {}

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, Any] | None = None
    ) -> None:
        self._batches += 1
        if self._batches % self.settings.accumulate:
            return
        self.step += 1
        self.progress(self.step, self.settings.batch_size * self.length, logs or {})
        saving, evaluating = self._due("save_every"), self._due("evaluate_every")
        if saving or evaluating or self._due("log_every"):
            self._report(evaluating=evaluating)
        if saving:
            self._save()
        try:
            self.check_stop()
        except Stopped:
            if not saving:
                self._save()
            raise

    def _due(self, interval: str) -> bool:
        every = getattr(self.settings, interval)
        return self.step % every == 0 or self.step == self.settings.steps

    def _report(self, *, evaluating: bool) -> None:
        self._fetch()
        # What Keras logs is a mean of the devices' means, whatever their weights.
        results = self.model.get_metrics_result()
        means = {name: _number(value) for name, value in results.items()}
        self._check_finite(means)
        line = {"step": self.step, "length": self.length, **_with_perplexity(means)}
        rate = self.model.optimizer.learning_rate
        line["learning_rate"] = _number(rate)
        if self._skipped:
            line["nonfinite_steps"] = self._skipped
        self.model.reset_metrics()
        if evaluating and self.evaluate is not None:
            held_out = _with_perplexity(self.evaluate())
            line |= {f"evaluation_{name}": held_out[name] for name in held_out}
            self.model.reset_metrics()
        self._line_step = self.step
        self.lines.append(line)
        if self.writes:
            append_log(self.run, line)
            if evaluating and self.draw:
                draw_curves(self.lines, self.run / CURVES)
        self.on_line(line)

    def _check_finite(self, means: Mapping[str, float]) -> None:
        optimizer = self.model.optimizer
        if hasattr(optimizer, "nonfinite_steps"):
            skipped = _number(optimizer.nonfinite_steps) - self._skipped
            self._skipped += int(skipped)
            going_on = self.settings.on_nonfinite == "skip"
            if skipped and not (going_on and skipped < self.step - self._line_step):
                raise self._nonfinite_gradient(optimizer)
            if skipped:
                return
        wrong = [name for name, value in means.items() if not math.isfinite(value)]
        if wrong:
            raise TrainingError(
                f"step {self.step}: {wrong[0]} is not finite",
                where=self.run,
                hint="Try a lower learning rate; the last checkpoint is sound.",
            )

    def _nonfinite_gradient(self, optimizer: Any) -> TrainingError:
        tensor = self.model.trainable_variables[_number(optimizer.nonfinite_tensor)]
        return TrainingError(
            f"step {_number(optimizer.nonfinite_step) + 1}: the gradient of "
            f"{tensor.path} is not finite",
            where=self.run,
            hint="No weight was changed by it, and the last checkpoint is sound: try a "
            "lower learning rate, or --on-nonfinite skip.",
        )

    def _save(self) -> None:
        self._fetch()
        save_state(
            self.model, self.run, step=self.step, keep=self.keep, write=self.writes
        )

    def _fetch(self) -> None:
        """Give the variables the values that JAX keeps to itself during ``fit``."""
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()


def _number(value: Any) -> Any:
    return keras.ops.convert_to_numpy(value).item()


def _with_perplexity(means: Mapping[str, float]) -> dict[str, float]:
    """The figures, ``masked_lm_perplexity`` among them: e to the loss."""
    figures = {name: float(value) for name, value in means.items()}
    loss = figures.get("masked_lm_loss")
    if loss is not None:
        figures["masked_lm_perplexity"] = math.exp(min(loss, 700.0))
    return figures
