"""The Keras callback of a run: logs, evaluates, saves, and stops between two steps."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..errors import DivergedError, Stopped
from .curves import CURVES, draw_curves
from .journal import append_log
from .settings import OnNonfinite
from .state import save_state

Progress = Callable[[int, int, Mapping[str, float]], None]
_LEFT_OUT = "nonfinite_steps"
_MOST_LOST = 10  # steps in a row that may be left out


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rhythm:
    """How long a run is, and how often it does what.

    Args:
        steps: weight updates in all.
        accumulate: batches of an update.
        log_every, evaluate_every, save_every: steps between two of them.
        on_nonfinite: see ``PretrainingSettings``.
        keep: checkpoints to keep.
    """

    steps: int
    accumulate: int
    log_every: int
    evaluate_every: int
    save_every: int
    on_nonfinite: OnNonfinite
    keep: int


class Recorder(keras.callbacks.Callback):
    """Everything that happens between the steps of a run.

    At each step that is due for it, in this order: a line with the means since the
    last one, an evaluation, the curves, a checkpoint. After a crash the log is cut back
    to the checkpoint, so nothing stands in it twice.

    Args:
        run: the folder.
        rhythm: of the run.
        step: weight updates that were done before.
        end: those that will be when this part of it ends; it ends with a line.
        tokens: of an update, to tell the progress.
        means: running means of the checkpoint that is resumed, if there is one.
        lines: of the log so far; it is added to.
        figures: what a line tells of a step besides its number: a function of that
            and of the means since the last line.
        panels: titles of the figures that are drawn.
        evaluate: gives held-out figures; ``None`` if nothing is held out.
        on_evaluated: told when there is a line with held-out figures; gives whether a
            checkpoint is due, whatever the rhythm says.
        on_saved: told when a checkpoint has been written.
        writes: whether this host writes files.
        draw: whether curves are drawn.
        on_line: told of each new line.
        progress: told of each step: its number, its tokens, the means so far.
        check_stop: raises ``Stopped`` once a stop was asked for.
    """

    def __init__(
        self,
        *,
        run: Path,
        rhythm: Rhythm,
        step: int,
        end: int,
        tokens: int,
        means: Sequence[np.ndarray],
        lines: list[dict[str, Any]],
        figures: Callable[[int, Mapping[str, float]], Mapping[str, float]],
        panels: Mapping[str, str],
        evaluate: Callable[[], Mapping[str, float]] | None,
        on_evaluated: Callable[[], bool] = lambda: False,
        on_saved: Callable[[], None] = lambda: None,
        writes: bool,
        draw: bool,
        on_line: Callable[[dict[str, Any]], None],
        progress: Progress,
        check_stop: Callable[[], None],
    ) -> None:
        super().__init__()
        self.run, self.rhythm, self.tokens = run, rhythm, tokens
        self.step, self.end, self.lines, self.evaluate = step, end, lines, evaluate
        self.figures, self.panels = figures, panels
        self.on_evaluated, self.on_saved = on_evaluated, on_saved
        self.writes, self.draw = writes, draw
        self.on_line, self.progress, self.check_stop = on_line, progress, check_stop
        self._means, self._batches = means, 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        # fit has just set them to 0.
        if self._means:
            pairs = zip(self.model.metrics_variables, self._means, strict=True)
            for variable, value in pairs:
                variable.assign(value)
        self._means = []

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, Any] | None = None
    ) -> None:
        self._batches += 1
        if self._batches % self.rhythm.accumulate:
            return
        self.step += 1
        self.progress(self.step, self.tokens, logs or {})
        saving = self._due(self.rhythm.save_every)
        evaluating = self.evaluate is not None and self._due(self.rhythm.evaluate_every)
        logging = self._due(self.rhythm.log_every) or self.step == self.end
        if saving or evaluating or logging:
            drawing = evaluating or (saving and self.evaluate is None)
            self._report(evaluating=evaluating, drawing=drawing)
        if evaluating:
            saving = self.on_evaluated() or saving
        if saving:
            self._save()
        try:
            self.check_stop()
        except Stopped:
            if not saving:
                self._finite_means()  # raises rather than save what is spoilt
                self._save()
            raise

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.rhythm.steps

    def _report(self, *, evaluating: bool, drawing: bool) -> None:
        means = self._finite_means()
        line = {"step": self.step, **self.figures(self.step, means)}
        line["learning_rate"] = _number(self.model.optimizer.learning_rate)
        if left_out := self._left_out():
            line[_LEFT_OUT] = left_out
        self.model.reset_metrics()
        if evaluating and self.evaluate is not None:
            held_out = self.evaluate()
            held_out = {f"evaluation_{name}": held_out[name] for name in held_out}
            self._check_finite(held_out)
            line |= held_out
            self.model.reset_metrics()
        self.lines.append(line)
        if self.writes:
            append_log(self.run, line)
            if drawing and self.draw:
                draw_curves(self.lines, self.run / CURVES, panels=self.panels)
        self.on_line(line)

    def _finite_means(self) -> dict[str, float]:
        """The means since the last line, without those that a left-out step spoilt.

        Raises:
            DivergedError: one is not finite, or steps were left out and that is not
                wanted, or nothing else has happened for a while.
        """
        self._fetch()
        # What Keras logs is a mean of the devices' means, whatever their weights.
        results = self.model.get_metrics_result()
        means = {name: _number(value) for name, value in results.items()}
        left_out = self._left_out() - _left_out_until(self.lines)
        if left_out:
            self._check_progress()
        else:
            self._check_finite(means)
        return {name: value for name, value in means.items() if math.isfinite(value)}

    def _check_finite(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            if not math.isfinite(value):
                raise DivergedError(
                    f"step {self.step}: {name} is not finite",
                    where=self.run,
                    hint="Try a lower learning rate; the last checkpoint is sound.",
                )

    def _left_out(self) -> int:
        """How many steps of the run changed nothing; only our optimizer knows."""
        counter = getattr(self.model.optimizer, "nonfinite_steps", None)
        return 0 if counter is None else _number(counter)

    def _check_progress(self) -> None:
        optimizer = self.model.optimizer
        lost = self.step - _last_sound(self.lines, self.step, self._left_out())
        if self.rhythm.on_nonfinite == "skip" and lost < _MOST_LOST:
            # The next one that is not finite is told as the first.
            optimizer.nonfinite_step.assign(-1)
            return
        tensor = self.model.trainable_variables[_number(optimizer.nonfinite_tensor)]
        what = f"step {_number(optimizer.nonfinite_step) + 1}: the gradient of "
        what += f"{tensor.path} is not finite"
        if self.rhythm.on_nonfinite == "skip":
            what += f", and {lost} steps in a row were left out"
        raise DivergedError(
            what,
            where=self.run,
            hint="No weight was changed by it, and the last checkpoint is sound: try a "
            "lower learning rate, or --on-nonfinite skip, in a new run.",
        )

    def _save(self) -> None:
        self._fetch()
        keep = self.rhythm.keep
        save_state(self.model, self.run, step=self.step, keep=keep, write=self.writes)
        self.on_saved()

    def _fetch(self) -> None:
        """Give the variables the values that JAX keeps to itself during ``fit``."""
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()


def _left_out_until(lines: list[dict[str, Any]]) -> int:
    """The steps that had been left out when the last line was written."""
    return lines[-1].get(_LEFT_OUT, 0) if lines else 0


def _last_sound(lines: list[dict[str, Any]], step: int, left_out: int) -> int:
    """The last line's step since which not all steps were left out; 0 if there is none.

    Args:
        lines: of the log so far.
        step: of today.
        left_out: how many steps of the run were left out until today.
    """
    for line in [*reversed(lines), {"step": 0}]:
        before = line.get(_LEFT_OUT, 0)
        if left_out - before < step - line["step"]:
            break
        step, left_out = line["step"], before
    return step


def _number(value: Any) -> Any:
    return keras.ops.convert_to_numpy(value).item()
