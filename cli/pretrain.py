"""`kbert pretrain`: rows of `create-pretraining-data` → a model of your own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from .options import (
    StepBar,
    overwrite_option,
    resume_option,
    say_what_draws_curves,
    seed_option,
    warnings_in_one_line,
)
from .quiet import import_tensorflow
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
    from kbert.pretraining import PretrainingSettings

_SETTINGS = (
    "steps",
    "batch_size",
    "accumulate",
    "learning_rate",
    "warmup_steps",
    "decay",
    "decay_power",
    "optimizer",
    "weight_decay",
    "bias_correction",
    "clip_norm",
    "dropout",
    "seed",
    "compute_dtype",
    "save_every",
    "log_every",
    "evaluate_every",
    "on_nonfinite",
    "strategy",
    "devices",
    "streams",
)
_MASKING = (
    "masking",
    "mask_rate",
    "mask_mixture",
    "mask_token",
    "max_predictions",
)
_count = click.IntRange(min=1)


_FIGURES = (
    ("mlm", "masked_lm_loss"),
    ("accuracy", "masked_lm_accuracy"),
    ("nsp", "next_sentence_accuracy"),
)


def _mixture(
    ctx: click.Context, param: click.Parameter, text: str
) -> tuple[float, float, float]:
    try:
        first, second, third = map(float, text.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not three percentages, as in 80,10,10.",
            param_hint="--mask-mixture",
        ) from None
    return first, second, third


@click.command(no_args_is_help=True)
@click.argument("data", metavar="DATA")
@run_folder_option
@click.option(
    "--config",
    required=True,
    metavar="SIZE|FILE|MODEL",
    help="tiny … large, a JSON file, or a model to continue from.",
)
@click.option("--steps", type=_count, required=True, help="Weight updates in all.")
@click.option(
    "--batch-size",
    type=_count,
    default=256,
    show_default=True,
    help="Rows of an update, over all devices and hosts.",
)
@accumulate_option
@click.option(
    "--learning-rate",
    type=float,
    default=1e-4,
    show_default=True,
    help="The highest.",
)
@click.option(
    "--warmup-steps",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="In which the learning rate rises from 0.",
)
@decay_option
@click.option(
    "--decay-power",
    type=float,
    default=0.5,
    show_default=True,
    help="Of a polynomial decay.",
)
@click.option(
    "--optimizer",
    type=click.Choice(["adamw", "lamb"]),
    default="adamw",
    show_default=True,
    help="LAMB is for very large batches.",
)
@weight_decay_option
@click.option("--bias-correction", is_flag=True, help="Of Adam; the original has none.")
@clip_norm_option
@dropout_option
@click.option(
    "--phase",
    "phases",
    multiple=True,
    metavar="LENGTH:SHARE",
    help="Repeatable.  [default: each length of the data; of two, 0.9 and 0.1]",
)
@click.option(
    "--masking",
    type=click.Choice(["token", "whole-word", "span"]),
    default="token",
    show_default=True,
    help="What is masked.",
)
@click.option(
    "--mask-rate",
    type=float,
    default=0.15,
    show_default=True,
    help="Fraction of the tokens that are predicted.",
)
@click.option(
    "--mask-mixture",
    default="80,10,10",
    show_default=True,
    metavar="M,R,K",
    callback=_mixture,
    help="Percent masked, replaced at random, kept.",
)
@click.option(
    "--mask-token",
    type=click.Choice(["[MASK]", "[UNK]"]),
    default="[MASK]",
    show_default=True,
    help="What stands for a masked one.",
)
@click.option(
    "--max-predictions", type=_count, help="Of a row.  [default: mask rate × length]"
)
@seed_option
@compute_dtype_option
@click.option("--save-every", type=_count, help="[default: a tenth of the steps]")
@click.option("--log-every", type=_count, help="[default: a hundredth of the steps]")
@click.option("--evaluate-every", type=_count, help="[default: as --save-every]")
@click.option(
    "--keep", type=_count, default=2, show_default=True, help="Checkpoints to keep."
)
@on_nonfinite_option
@strategy_option("below")
@devices_option
@click.option("--streams", type=_count, help="Parts of the data.  [default: hosts]")
@resume_option
@overwrite_option
def pretrain(data: str, output: str, config: str, **options: Any) -> None:
    """Pretrain a BERT on DATA, a folder of kbert create-pretraining-data.

    The run's folder gets log.jsonl, curves.png, TensorBoard files, checkpoints, and at
    the end model/, which every --model takes. A killed run goes on with --resume and
    ends with the same bits.

    \b
    --strategy gives an equal part of every batch to
      mirrored       each GPU of this host, or each of --devices parts of its CPU
      multi-worker   each host: the same command on all, with the addresses in
                     TF_CONFIG, and an output folder that they share
      tpu            each core of this host's TPU
      data-parallel  each device that JAX sees, on one host or several; with
                     KERAS_BACKEND=jax and, on several, KERAS_DISTRIBUTION_*
    The README has the commands.

    \b
    Examples:
      kbert pretrain data -o run --config mini --steps 20000 --batch-size 64 \\
          --learning-rate 5e-4 --warmup-steps 1000 --compute-dtype bfloat16
      kbert pretrain data -o run --config base --steps 1000000 --warmup-steps 10000 \\
          --phase 128:0.9 --phase 512:0.1 --strategy mirrored
      kbert pretrain clinic -o run --config bert-base-cased --steps 50000 \\
          --learning-rate 2e-5
    """
    import_tensorflow()
    settings = _settings(options)
    from kbert.pretraining import pretrain

    how = {name: options[name] for name in ("keep", "resume", "overwrite")}
    with StepBar() as bar, warnings_in_one_line():

        def progress(step: int, tokens: int, means: Mapping[str, Any]) -> None:
            bar.advance(
                step,
                settings.steps,
                tokens=tokens,
                figures=lambda: {
                    short: f"{float(means[name]):.3f}"
                    for short, name in _FIGURES
                    if name in means
                },
            )

        pretrain(
            data, output, config=config, settings=settings, progress=progress, **how
        )
    say_what_draws_curves()
    click.echo(f"{output}/model: done, {settings.steps:,} steps", err=True)


def _settings(options: dict[str, Any]) -> "PretrainingSettings":
    from kbert.masking import MaskingSettings
    from kbert.pretraining.settings import PretrainingSettings, parse_phase

    return PretrainingSettings(
        **{name: options[name] for name in _SETTINGS},
        phases=tuple(map(parse_phase, options["phases"])),
        masking=MaskingSettings(
            **{name: options[name] for name in _MASKING},
        ),
    )
