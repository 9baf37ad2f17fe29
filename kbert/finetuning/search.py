"""One task with several learning rates, batch sizes, seeds → runs, the best, a mean."""

import dataclasses
import gc
import itertools
import os
import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import io
from ..checkpoints import load
from ..config import read_json_object
from ..errors import ConfigError, DivergedError, KbertWarning
from ..interruption import stop_between_steps
from ..tasks import Task
from ..training.folder import describe, held, weights_digest
from ..training.settings import check_division
from ..training.strategies import open_devices
from .results import DEV, METRICS, MODEL, FineTuned, Progress, finished_metrics
from .run import (
    GO_ON,
    data_identity,
    finetune,
    prepare,
    read_examples,
    restored_task,
)
from .settings import FineTuningSettings

RUNS = "runs"
# Devlin et al. 2019, appendix A.3.
GRID_RATES = (5e-5, 3e-5, 2e-5)
GRID_BATCH_SIZES = (16, 32)
_CARD = "README.md"
_OF_SEVERAL = """
## Of several runs

This is the best of {count} on the held-out file, which flatters it:

| learning rate | batch size | seed | {figure} |
|---|---|---|---|
{rows}
"""
_LEFT_OUT = """
Left out, because a number was no longer finite: {runs}.
"""
_OF_SEEDS = """
Mean and standard deviation of the {count} seeds: {mean:.4f} ± {deviation:.4f}.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search:
    """What is tried; by default one run with the settings as they are.

    Args:
        learning_rates: each with each batch size, and the best on dev is kept; by
            default that of the settings.
        batch_sizes: by default that of the settings.
        seeds: runs of the best ones, from the seed of the settings on.

    Raises:
        ConfigError: a value stands twice, or there is no run.
    """

    learning_rates: tuple[float, ...] = ()
    batch_sizes: tuple[int, ...] = ()
    seeds: int = 1

    def __post_init__(self) -> None:
        for name in ("learning_rates", "batch_sizes"):
            values = getattr(self, name)
            if len({*values}) < len(values):
                raise ConfigError(f"{name}={values}", expected="each value once")
        if type(self.seeds) is not int or self.seeds < 1:
            raise ConfigError(
                f"seeds={self.seeds!r}", expected="a whole number above 0"
            )

    def grid(self, settings: FineTuningSettings) -> list[FineTuningSettings]:
        """The settings to choose among."""
        rates = self.learning_rates or (settings.learning_rate,)
        sizes = self.batch_sizes or (settings.batch_size,)
        return [
            dataclasses.replace(settings, learning_rate=rate, batch_size=size)
            for rate, size in itertools.product(rates, sizes)
        ]

    def of_seeds(self, settings: FineTuningSettings) -> list[FineTuningSettings]:
        """The same settings with each seed."""
        seeds = range(settings.seed, settings.seed + self.seeds)
        return [dataclasses.replace(settings, seed=seed) for seed in seeds]


def search(
    task: Task,
    model: str | os.PathLike[str],
    *,
    train: str | os.PathLike[str],
    dev: str | os.PathLike[str],
    output: str | os.PathLike[str],
    tried: Search,
    settings: FineTuningSettings | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FineTuned:
    """Fine-tune with each of several settings, and then with several seeds.

    Each run is one of ``kbert.finetune`` in a folder of its own. With ``resume`` those
    that have ended are not done again, and the one that was stopped goes on. A rate at
    which training diverges is left out; a seed is not, for that would flatter the mean.

    Args:
        task, model, train, dev, settings, resume, overwrite, progress: see
            ``kbert.finetune``.
        output: a folder for ``runs/``; and, of the best run, ``model/`` and ``dev/``.
            The model card there has the main figure of every run.
            ``metrics.json`` has the figures of all runs and, of several seeds, their
            mean and their standard deviation (of a sample), if all runs have them:
            entity types that are not in ``dev`` have an F1 only where they are guessed.
            Those that were left out are in it too, with the reason.
        tried: what differs between the runs.

    Returns:
        The best run on dev; ``metrics`` are those of all.

    Raises:
        DivergedError: no rate or batch size does, or a seed does not.
        KbertError: as from ``kbert.finetune``.

    Warns:
        KbertWarning: a run diverged and is left out.
    """
    folder, settings = Path(output), settings or FineTuningSettings()
    if dev is None:
        raise ConfigError("several runs without a dev set to choose among them")
    if overwrite:
        io.refuse_inputs_inside(folder, [model, train, dev])
    grid = tried.grid(settings)
    # Before anything is computed: later no CPU is made into several devices.
    devices = open_devices(settings.strategy, devices=settings.devices)
    if devices.hosts > 1:
        raise ConfigError(
            "several runs on several hosts", hint="Start them one after the other."
        )
    for one in grid:
        check_division(one, devices.replicas)
    examples, held_out, fitted = read_examples(task, train=train, dev=dev)
    with (
        held(folder, resume=resume, overwrite=overwrite),
        stop_between_steps(GO_ON) as check_stop,
    ):
        # What is wrong with one run is wrong with all: told before anything is deleted.
        prepare(fitted, model, examples, held_out, settings)
        runs = _Runs(task, model, train, dev, folder / RUNS, progress, check_stop)
        what = {
            "task": {"kind": task.kind, **task.to_dict()},
            "labels": list(fitted.labels),
            "settings": settings.identity(),
            "tried": dataclasses.asdict(tried),
            "data": data_identity(train, dev),
            "weights": weights_digest(load(model)),
        }
        describe(folder, what, resume=resume, write=True)
        if finished_metrics(folder) is None:
            best = runs.best_that_converges(grid)
            seeds = tried.of_seeds(best)
            winner = runs.best(seeds)
            name = run_name(winner)
            for part in (MODEL, DEV):
                io.copy_folder(folder / RUNS / name / part, folder / part)
            metrics = _metrics(runs, winner, seeds=seeds)
            card = folder / MODEL / _CARD
            io.write_text(card, card.read_text("utf-8") + _of_several(metrics, seeds))
            io.write_json(folder / METRICS, metrics)
        metrics = read_json_object(folder / METRICS)
        bert = load(folder / MODEL)
        return FineTuned(folder, bert, restored_task(task, bert), metrics)


def run_name(settings: FineTuningSettings) -> str:
    """The name of a run's folder: what differs between runs."""
    return (
        f"rate-{settings.learning_rate:g}_batch-{settings.batch_size}"
        f"_seed-{settings.seed}"
    )


class _Runs:
    """Runs that are done when they are asked for, each one once."""

    def __init__(
        self,
        task: Task,
        model: str | os.PathLike[str],
        train: str | os.PathLike[str],
        dev: str | os.PathLike[str],
        folder: Path,
        progress: Progress | None,
        check_stop: Callable[[], None],
    ) -> None:
        self._task, self._model, self._train, self._dev = task, model, train, dev
        self._folder, self._progress = folder, progress
        self._check_stop = check_stop
        self.done: dict[FineTuningSettings, dict[str, Any]] = {}
        self.diverged: dict[FineTuningSettings, DivergedError] = {}

    def best_that_converges(
        self, all_settings: Sequence[FineTuningSettings]
    ) -> FineTuningSettings:
        """``best`` of those whose numbers stay finite.

        Raises:
            DivergedError: that of the first, if there are none.
        """
        for settings in all_settings:
            try:
                self.metrics(settings)
            except DivergedError as error:
                self.diverged[settings] = error
        left = [one for one in all_settings if one not in self.diverged]
        if not left:
            raise self.diverged[all_settings[0]]
        for error in self.diverged.values():
            warnings.warn(f"{error} This run is left out.", KbertWarning, stacklevel=2)
        return self.best(left)

    def best(self, all_settings: Sequence[FineTuningSettings]) -> FineTuningSettings:
        """The settings of the run with the highest figure; of equal ones, the first."""
        return max(all_settings, key=self._figure)

    def _figure(self, settings: FineTuningSettings) -> float:
        metrics = self.metrics(settings)
        return metrics["dev"][metrics["main_figure"]]

    def metrics(self, settings: FineTuningSettings) -> dict[str, Any]:
        """What a run measured."""
        if settings not in self.done:
            run = self._folder / run_name(settings)
            self.done[settings] = finished_metrics(run) or self._new(run, settings)
        return self.done[settings]

    def _new(self, run: Path, settings: FineTuningSettings) -> dict[str, Any]:
        self._check_stop()  # a signal may have come after the last step of a run
        gc.collect()  # a Keras model is a ring, which would stay for a while
        finetune(
            self._task,
            self._model,
            train=self._train,
            dev=self._dev,
            output=run,
            settings=settings,
            resume=True,
            progress=self._progress,
        )
        return read_json_object(run / METRICS)


def _metrics(
    runs: _Runs, winner: FineTuningSettings, *, seeds: Sequence[FineTuningSettings]
) -> dict[str, Any]:
    """The content of ``metrics.json``: that of the best run, and all others."""
    metrics = runs.metrics(winner)
    every = [
        {**_told(settings), "step": found["best"]["step"], "dev": found["dev"]}
        for settings, found in runs.done.items()
    ]
    diverged = [
        {**_told(settings), "reason": error.what}
        for settings, error in runs.diverged.items()
    ]
    best = {"run": _told(winner)["run"], **metrics["best"]}
    content = {**metrics, "best": best, "runs": every, "diverged": diverged}
    if len(seeds) > 1:
        content |= _spread([runs.metrics(settings)["dev"] for settings in seeds])
    return content


def _told(settings: FineTuningSettings) -> dict[str, Any]:
    """What a list of runs says of one."""
    return {
        "run": f"{RUNS}/{run_name(settings)}",
        "learning_rate": settings.learning_rate,
        "batch_size": settings.batch_size,
        "seed": settings.seed,
    }


def _of_several(metrics: Mapping[str, Any], seeds: Sequence[FineTuningSettings]) -> str:
    """What a model card has to say besides the figures of the best run."""
    name = metrics["main_figure"]
    rows = [
        f"| {run['learning_rate']:g} | {run['batch_size']} | {run['seed']} "
        f"| {run['dev'][name]:.4f} |"
        for run in metrics["runs"]
    ]
    text = _OF_SEVERAL.format(count=len(rows), figure=name, rows="\n".join(rows))
    if metrics["diverged"]:
        left_out = [one["run"].removeprefix(f"{RUNS}/") for one in metrics["diverged"]]
        text += _LEFT_OUT.format(runs=", ".join(left_out))
    if len(seeds) > 1:
        mean, deviation = metrics["mean"][name], metrics["standard_deviation"][name]
        text += _OF_SEEDS.format(count=len(seeds), mean=mean, deviation=deviation)
    return text


def _spread(figures: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation of each figure that every run has.

    A run has no F1 of an entity type that neither is in the dev file nor was guessed.
    """
    names = [name for name in figures[0] if all(name in one for one in figures)]
    columns = {name: [one[name] for one in figures] for name in names}
    return {
        "mean": {name: statistics.fmean(values) for name, values in columns.items()},
        "standard_deviation": {
            name: statistics.stdev(values) for name, values in columns.items()
        },
    }
