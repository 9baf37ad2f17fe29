"""What a run tells while it goes on, and what it leaves: names, figures, models."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .. import io
from ..config import read_json_object
from ..model import Bert
from ..tasks import Task
from ..training.state import FOLDER
from .best import BEST, held_out_figures
from .settings import FineTuningSettings

MODEL, DEV, METRICS = "model", "dev", "metrics.json"


@dataclasses.dataclass(frozen=True)
class Moment:
    """One step of a run, as its progress is told.

    Args:
        run: its folder.
        step: weight updates that are done.
        steps: those that there will be.
        tokens: of this one, about.
        mean_loss: a tensor, which a device may still be computing.
    """

    run: Path
    step: int
    steps: int
    tokens: int
    mean_loss: Any = None

    @property
    def loss(self) -> float | None:
        """Of the steps since the last line of the log; waits for the device."""
        return None if self.mean_loss is None else float(self.mean_loss)


Progress = Callable[[Moment], None]


@dataclasses.dataclass(frozen=True)
class FineTuned:
    """What ``kbert.finetune`` gives.

    Args:
        path: the run's folder.
        bert: the model of ``path/model``.
        task: with labels, and with what was chosen on dev.
        metrics: what ``metrics.json`` holds.
    """

    path: Path
    bert: Bert
    task: Task
    metrics: Mapping[str, Any]


def run_metrics(
    task: Task,
    settings: FineTuningSettings,
    *,
    line: Mapping[str, Any],
    dev: Mapping[str, float],
) -> dict[str, Any]:
    """The content of ``metrics.json``.

    Args:
        task: as tuned.
        settings: of the run.
        line: of the log, that of the weights that are kept.
        dev: the figures of these weights; empty without a dev set.
    """
    place = {"step": line["step"], "epoch": line["epoch"]}
    return {
        "task": {"kind": task.kind, **task.to_dict()},
        "main_figure": task.main_figure,
        "settings": settings.to_dict(),
        "best": {**place, **held_out_figures(dict(line))},
        "dev": dict(dev),
    }


def finished_metrics(run: Path) -> dict[str, Any] | None:
    """The figures of a run that has ended; ``None`` if it has not."""
    path = run / METRICS
    return read_json_object(path) if path.exists() else None


def forget_steps(run: Path) -> None:
    """Delete what only a run that goes on needs: several times the model's size."""
    for name in (FOLDER, BEST):
        io.remove(run / name)
