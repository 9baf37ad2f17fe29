"""Right and guessed classes → a table of figures by class, and a confusion matrix."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import io
from ..errors import KbertWarning
from ..metrics.classification import class_table, confusion_matrix
from ..training.curves import can_draw

CLASS_TABLE = "classes.tsv"
CONFUSION_MATRIX = "confusion_matrix.png"
_MOST_NAMED = 60  # classes; the names of more are too small to read
_MOST_COUNTED = 20  # classes; so are the counts in the cells of more


def write_class_report(
    folder: Path, gold: np.ndarray, guesses: np.ndarray, *, labels: Sequence[str]
) -> None:
    """Write the figures of each class, and draw what is taken for what.

    Args:
        folder: that exists; gets ``classes.tsv`` and ``confusion_matrix.png``.
        gold: int ``[N]``, the right classes; bool ``[N, C]`` where a text has any
            number of labels, which has no matrix.
        guesses: as ``gold``.
        labels: the C names.

    Warns:
        KbertWarning: matplotlib is not there to draw with.
    """
    rows = class_table(gold, guesses, labels)
    lines = ["\t".join(rows[0])]
    lines += ["\t".join(map(_cell, row.values())) for row in rows]
    io.write_text(folder / CLASS_TABLE, "".join(f"{line}\n" for line in lines))
    if gold.ndim > 1:
        return
    if not can_draw():
        warnings.warn(
            # Not the folder, which may be a temporary one by now.
            f"no {CONFUSION_MATRIX}: pip install 'kbert[plots]' draws it.",
            KbertWarning,
            stacklevel=2,
        )
        return
    counts = confusion_matrix(gold, guesses, num_classes=len(labels))
    draw_confusion_matrix(counts, labels, folder / CONFUSION_MATRIX)


def draw_confusion_matrix(
    counts: np.ndarray, labels: Sequence[str], path: Path
) -> None:
    """Draw a matrix; the darker a cell, the more of its row are in it.

    Args:
        counts: int ``[C, C]``, right classes down, guesses across.
        labels: the C names.
        path: of the PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = min(3 + 0.4 * len(labels), 16)
    figure = Figure(figsize=(size, size), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="guessed", ylabel="right")
    if len(labels) <= _MOST_NAMED:
        plain = {"parse_math": False}  # a label may be "$$"
        axes.set_xticks(range(len(labels)), labels, rotation=90, **plain)
        axes.set_yticks(range(len(labels)), labels, **plain)
    for (row, column), count in np.ndenumerate(counts):
        if len(labels) <= _MOST_COUNTED:
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=color)
    with io.atomic_path(path) as temporary, warnings.catch_warnings():
        # A font without, say, Chinese characters draws boxes: no reason to stop.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(temporary, format="png", dpi=100)


def _cell(value: str | float | int) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
