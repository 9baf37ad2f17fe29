"""The lines of a run's log → which evaluation was best, and whether to go on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import io
from ..checkpoints import load, save
from ..model import Bert, model_variables

BEST = "best"
_PREFIX = "evaluation_"


def evaluated(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines that have held-out figures."""
    return [line for line in lines if any(name.startswith(_PREFIX) for name in line)]


def held_out_figures(line: dict[str, Any]) -> dict[str, float]:
    """Those of one line, by their own names."""
    return {
        name.removeprefix(_PREFIX): value
        for name, value in line.items()
        if name.startswith(_PREFIX)
    }


def best_line(lines: Sequence[dict[str, Any]], figure: str) -> dict[str, Any] | None:
    """The one whose held-out figure is highest; of equal ones, the first."""
    found = evaluated(lines)
    return max(found, key=lambda line: line[_PREFIX + figure]) if found else None


def is_over(
    lines: Sequence[dict[str, Any]], figure: str, *, patience: int | None
) -> bool:
    """Whether the last so many evaluations did not better the best one."""
    best = best_line(lines, figure)
    if patience is None or best is None:
        return False
    return sum(line["step"] > best["step"] for line in evaluated(lines)) >= patience


def keep_best(bert: Bert, run: Path, *, step: int) -> None:
    """Write the weights of the best evaluation so far, those of ``step``."""
    trained = Bert(bert.config, bert.encoder, bert.tokenizer, bert.heads, bert.labels)
    save(trained, _folder(run, step), overwrite=True)


def forget_worse(run: Path, *, step: int) -> None:
    """Delete all that ``keep_best`` wrote, but for the best ones, those of ``step``.

    Call it when a checkpoint of this step or a later one stands: a run that goes on
    from an earlier one may need an earlier best.
    """
    io.remove_temporaries(run / BEST)
    for folder in (run / BEST).glob("step-*"):
        if folder != _folder(run, step):
            io.remove(folder)


def restore_best(bert: Bert, run: Path, *, step: int) -> None:
    """Give a model the weights that ``keep_best`` wrote of a step.

    Raises:
        KbertError: they are gone, or damaged.
    """
    best = load(_folder(run, step))
    own = model_variables(best)
    for path, variable in model_variables(bert).items():
        variable.assign(own[path])


def _folder(run: Path, step: int) -> Path:
    return run / BEST / f"step-{step:08d}"
