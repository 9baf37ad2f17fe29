"""The options of fine-tuning that all tasks share → settings, and what is tried."""

from typing import TYPE_CHECKING, Any

import click

from .options import (
    Several,
    model_option,
    overwrite_option,
    resume_option,
    seed_option,
    with_options,
)
from .run_options import (
    accumulate_option,
    clip_norm_option,
    compute_dtype_option,
    decay_option,
    devices_option,
    dropout_option,
    on_nonfinite_option,
    run_folder_option,
    strategy_option,
    weight_decay_option,
)

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
    run_folder_option,
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
    seed_option,
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
    decay_option,
    weight_decay_option,
    click.option(
        "--bias-correction/--no-bias-correction",
        default=True,
        show_default=True,
        help="Of Adam; small sets need it.",
    ),
    clip_norm_option,
    dropout_option,
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
    accumulate_option,
    compute_dtype_option,
    click.option(
        "--save-every", type=_count, help="Steps.  [default: an epoch, ≤ 500]"
    ),
    click.option("--log-every", type=_count, help="Steps.  [default: a hundredth]"),
    click.option("--evaluate-every", type=_count, help="Steps.  [default: an epoch]"),
    on_nonfinite_option,
    strategy_option("kbert pretrain --help"),
    devices_option,
    resume_option,
    overwrite_option,
)
_TRIED = ("learning_rates", "batch_sizes")
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


def refuse_without_dev(options: dict[str, Any], ctx: click.Context) -> None:
    """Refuse options that have no meaning without ``--dev``; told without TensorFlow.

    Raises:
        click.UsageError: one is given, and no ``--dev``.
    """
    if options["dev"] is not None:
        return
    given = {
        "--patience": options["patience"] is not None,
        "--evaluate-every": options["evaluate_every"] is not None,
        "--keep best": options["keep"] == "best" and not _is_default("keep", ctx),
    }
    for name, is_given in given.items():
        if is_given:
            raise click.UsageError(f"{name} needs --dev, to be scored on.")


def asks_for_several_runs(options: dict[str, Any], ctx: click.Context) -> bool:
    """Whether more than one run is asked for; told without TensorFlow."""
    several = any(len(options[name]) > 1 for name in _TRIED)
    return several or options["seeds"] > 1 or bool(_of_grid(options, ctx))


def search_of(options: dict[str, Any], ctx: click.Context) -> "Search":
    """What is to be tried, if several runs are asked for."""
    from kbert.finetuning import Search
    from kbert.finetuning.search import GRID_BATCH_SIZES, GRID_RATES

    grid = {"learning_rates": GRID_RATES, "batch_sizes": GRID_BATCH_SIZES}
    tried = {name: options[name] for name in _TRIED}
    tried |= {name: grid[name] for name in _of_grid(options, ctx)}
    return Search(**tried, seeds=options["seeds"])


def _of_grid(options: dict[str, Any], ctx: click.Context) -> list[str]:
    """What the grid has several values for: what was not given."""
    names = _TRIED if options["grid"] else ()
    return [name for name in names if _is_default(name, ctx)]


def _is_default(name: str, ctx: click.Context) -> bool:
    return ctx.get_parameter_source(name) == click.core.ParameterSource.DEFAULT
