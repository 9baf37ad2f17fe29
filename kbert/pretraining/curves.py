"""The lines of a run's log → ``curves.png``."""

import importlib.util
from pathlib import Path
from typing import Any

from .. import io

CURVES = "curves.png"
_PANELS = (
    ("masked_lm_loss", "masked tokens: loss (nats)"),
    ("masked_lm_accuracy", "masked tokens: accuracy"),
    ("next_sentence_accuracy", "next sentence: accuracy"),
    ("learning_rate", "learning rate"),
)


def can_draw() -> bool:
    """Whether matplotlib is there: the extra ``kbert[plots]``."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_curves(lines: list[dict[str, Any]], path: Path) -> None:
    """Draw training and held-out figures over the steps, one panel each."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [panel for panel in _PANELS if any(panel[0] in line for line in lines)]
    figure = Figure(figsize=(5 * len(panels), 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (name, title) in enumerate(panels, 1):
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
