"""The options of commands that use a fine-tuned model."""

from typing import Any

import click

from .options import with_options

_NAMES = ("task", "max_length", "batch_size", "compute_dtype")
using_options = with_options(
    (
        click.option(
            "--task",
            type=click.Choice(["classify", "regress", "ner", "qa", "choice"]),
            help="Of a model that kbert did not fine-tune.  [default: the model says]",
        ),
        click.option(
            "--max-length",
            type=click.IntRange(min=1),
            help="In tokens.  [default: as in training]",
        ),
        click.option(
            "--batch-size",
            type=click.IntRange(min=1),
            default=64,
            show_default=True,
            help="Rows at once.",
        ),
        click.option(
            "--compute-dtype",
            type=click.Choice(["float32", "bfloat16"]),
            default="float32",
            show_default=True,
            help="Arithmetic of the products.",
        ),
    )
)


def using_of(options: dict[str, Any]) -> dict[str, Any]:
    """What ``kbert.evaluate`` and ``kbert.predict`` are told."""
    return {name: options[name] for name in _NAMES}
