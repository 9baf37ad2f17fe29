"""The lines of a run's log → ``curves.png``."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import io

CURVES = "curves.png"


def can_draw() -> bool:
    """Whether matplotlib is there: the extra ``kbert[plots]``."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_curves(
    lines: Sequence[Mapping[str, Any]], path: Path, *, panels: Mapping[str, str]
) -> None:
    """Draw training and held-out figures over the steps, one panel each.

    Args:
        lines: of the log.
        path: of the PNG.
        panels: title of each figure to draw; one that no line has is left out.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = {
        name: title
        for name, title in panels.items()
        if any(name in line or f"evaluation_{name}" in line for line in lines)
    }
    figure = Figure(figsize=(5 * len(panels), 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (name, title) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), number)
        for key, label in ((name, "training"), (f"evaluation_{name}", "held out")):
            points = [(line["step"], line[key]) for line in lines if key in line]
            if points:
                axes.plot(*zip(*points, strict=True), label=label)
        axes.set(title=title, xlabel="step")
        axes.grid(alpha=0.3)
        axes.legend()
    with io.atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
