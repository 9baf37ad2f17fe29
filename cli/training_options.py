"""The options of fine-tuning that all tasks share → settings, and what is tried."""

from typing import TYPE_CHECKING, Any

import click

from .options import Several, model_option, overwrite_option, with_options

if TYPE_CHECKING:
    from kbert.finetuning import FineTuningSettings, Search

_count = click.IntRange(min=1)
_natural = click.IntRange(min=0)

_FILES = (
    model_option,
    click.option("--train", required=True, metavar="FILE", help="What to learn from."),
    click.option(
        "--dev",
        metavar="FILE",
        help="What to be scored on; without it, the last weights are kept.",
    ),
    click.option("-o", "--output", required=True, help="Folder of the run."),
)
_RECIPE = (
    click.option(
        "--epochs",
        type=_count,
        default=3,
        show_default=True,
        help="Times that every row is seen.",
    ),
    click.option(
        "--batch-size",
        "batch_sizes",
        type=Several(_count),
        default="32",
        show_default=True,
        help="Rows of an update; several, as in 16,32: the best on dev.",
    ),
    click.option(
        "--learning-rate",
        "learning_rates",
        type=Several(click.FLOAT),
        default="5e-5",
        show_default=True,
        help="The highest; several, as in 2e-5,5e-5: the best on dev.",
    ),
    click.option(
        "--grid",
        is_flag=True,
        help="Try the paper's: rates 5e-5,3e-5,2e-5 with batches of 16,32, unless "
        "others are given.",
    ),
    click.option(
        "--seeds",
        type=_count,
        default=1,
        show_default=True,
        help="Runs, from --seed on: mean and standard deviation.",
    ),
    click.option(
        "--seed",
        type=_natural,
        default=0,
        show_default=True,
        help="Of head, order and dropout.",
    ),
    click.option(
        "--max-length", type=_count, help="In tokens.  [default: the model's]"
    ),
    click.option(
        "--warmup-fraction",
        type=float,
        default=0.1,
        show_default=True,
        help="Of the steps, in which the learning rate rises from 0.",
    ),
    click.option(
        "--decay",
        type=click.Choice(["linear", "polynomial", "cosine", "constant"]),
        default="linear",
        show_default=True,
        help="How the learning rate falls after the warm-up.",
    ),
    click.option(
        "--weight-decay",
        type=float,
        default=0.01,
        show_default=True,
        help="Not of biases and normalisations.",
    ),
    click.option(
        "--bias-correction/--no-bias-correction",
        default=True,
        show_default=True,
        help="Of Adam; small sets need it.",
    ),
    click.option(
        "--clip-norm",
        type=float,
        default=1.0,
        show_default=True,
        help="Largest norm of all gradients together; 0: any.",
    ),
    click.option("--dropout", type=float, help="Instead of the config's, which stays."),
    click.option(
        "--layer-decay",
        type=float,
        default=1.0,
        show_default=True,
        help="Learning rate of a layer, by that of the layer above.",
    ),
    click.option(
        "--freeze-layers",
        type=_natural,
        default=0,
        show_default=True,
        help="Leave the embeddings and the first N layers as they are.",
    ),
    click.option(
        "--reinitialize-layers",
        type=_natural,
        default=0,
        show_default=True,
        help="Begin the last N layers and the pooler anew.",
    ),
    click.option(
        "--keep",
        type=click.Choice(["best", "last"]),
        default="best",
        show_default=True,
        help="The weights that were best on dev, or the last ones.",
    ),
    click.option(
        "--patience",
        type=_count,
        help="Evaluations without a better one that end the run.  [default: any]",
    ),
    click.option(
        "--bucketed/--no-bucketed",
        default=True,
        show_default=True,
        help="Whether rows of like lengths share a batch.",
    ),
)
_MACHINE = (
    click.option(
        "--accumulate",
        type=_count,
        default=1,
        show_default=True,
        help="Batches that an update is computed in, to save memory.",
    ),
    click.option(
        "--compute-dtype",
        type=click.Choice(["float32", "bfloat16"]),
        default="float32",
        show_default=True,
        help="Arithmetic of the products; weights stay float32.",
    ),
    click.option(
        "--save-every", type=_count, help="Steps.  [default: an epoch, ≤ 500]"
    ),
    click.option("--log-every", type=_count, help="Steps.  [default: a hundredth]"),
    click.option("--evaluate-every", type=_count, help="Steps.  [default: an epoch]"),
    click.option(
        "--on-nonfinite",
        type=click.Choice(["stop", "skip"]),
        default="stop",
        show_default=True,
        help="What to do about a gradient that is not finite.",
    ),
    click.option(
        "--strategy",
        type=click.Choice(["none", "mirrored", "multi-worker", "tpu", "data-parallel"]),
        default="none",
        show_default=True,
        help="How devices and hosts share the work, see kbert pretrain --help.",
    ),
    click.option(
        "--devices",
        type=_count,
        help="Of mirrored and data-parallel.  [default: all accelerators]",
    ),
    click.option("--resume", is_flag=True, help="Go on with a stopped or killed run."),
    overwrite_option,
)
file_options = with_options(_FILES)
training_options = with_options((*_RECIPE, *_MACHINE))
NAMES = (
    "epochs",
    "seed",
    "max_length",
    "warmup_fraction",
    "decay",
    "weight_decay",
    "bias_correction",
    "clip_norm",
    "dropout",
    "layer_decay",
    "freeze_layers",
    "reinitialize_layers",
    "keep",
    "patience",
    "bucketed",
    "accumulate",
    "compute_dtype",
    "save_every",
    "log_every",
    "evaluate_every",
    "on_nonfinite",
    "strategy",
    "devices",
)


def settings_of(options: dict[str, Any]) -> "FineTuningSettings":
    """The settings; of several learning rates and batch sizes, the first."""
    from kbert.finetuning import FineTuningSettings

    return FineTuningSettings(
        learning_rate=options["learning_rates"][0],
        batch_size=options["batch_sizes"][0],
        **{name: options[name] for name in NAMES},
    )


def search_of(options: dict[str, Any], ctx: click.Context) -> "Search | None":
    """What else is to be tried; ``None`` if it is one run."""
    from kbert.finetuning import Search
    from kbert.finetuning.search import GRID_BATCH_SIZES, GRID_RATES

    tried = {name: options[name] for name in ("learning_rates", "batch_sizes")}
    if options["grid"]:
        grid = {"learning_rates": GRID_RATES, "batch_sizes": GRID_BATCH_SIZES}
        tried |= {name: grid[name] for name in tried if not _given(name, ctx)}
    found = Search(**tried, seeds=options["seeds"])
    several = any(len(values) > 1 for values in tried.values())
    return found if several or found.seeds > 1 else None


def _given(name: str, ctx: click.Context) -> bool:
    return ctx.get_parameter_source(name) != click.core.ParameterSource.DEFAULT
