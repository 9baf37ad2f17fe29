"""The options that runs of pretraining and of fine-tuning share."""

from collections.abc import Callable
from typing import Any

import click

_count = click.IntRange(min=1)

run_folder_option = click.option(
    "-o", "--output", required=True, help="Folder of the run."
)

# === How weights change ===

accumulate_option = click.option(
    "--accumulate",
    type=_count,
    default=1,
    show_default=True,
    help="Batches that an update is computed in, to save memory.",
)
decay_option = click.option(
    "--decay",
    type=click.Choice(["linear", "polynomial", "cosine", "constant"]),
    default="linear",
    show_default=True,
    help="How the learning rate falls after the warm-up.",
)
weight_decay_option = click.option(
    "--weight-decay",
    type=float,
    default=0.01,
    show_default=True,
    help="Not of biases and normalisations.",
)
clip_norm_option = click.option(
    "--clip-norm",
    type=float,
    default=1.0,
    show_default=True,
    help="Largest norm of all gradients together; 0: any.",
)
dropout_option = click.option(
    "--dropout", type=float, help="Instead of the config's, which stays."
)

# === What computes ===

compute_dtype_option = click.option(
    "--compute-dtype",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="Arithmetic of the products; weights stay float32.",
)
on_nonfinite_option = click.option(
    "--on-nonfinite",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What to do about a gradient that is not finite.",
)
devices_option = click.option(
    "--devices",
    type=_count,
    help="Of mirrored and data-parallel.  [default: all accelerators]",
)


def strategy_option(explained: str) -> Callable[[Any], Any]:
    """The option ``--strategy``.

    Args:
        explained: where the help tells what each strategy is.
    """
    return click.option(
        "--strategy",
        type=click.Choice(["none", "mirrored", "multi-worker", "tpu", "data-parallel"]),
        default="none",
        show_default=True,
        help=f"How devices and hosts share the work, see {explained}.",
    )
