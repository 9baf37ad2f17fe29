"""`kbert convert`: read a model in one format and write it in another."""

from pathlib import Path

import click

from .quiet import import_tensorflow

# The library knows the names too, but importing it here would load TensorFlow.
FORMATS = ("kbert", "huggingface", "tf1", "kerashub")
_SHOWN = 8


@click.command(no_args_is_help=True)
@click.argument("source")
@click.argument("destination", type=click.Path(path_type=Path))
@click.option(
    "--to", type=click.Choice(FORMATS), required=True, help="Format to write."
)
@click.option(
    "--without-head",
    "without_heads",
    multiple=True,
    metavar="NAME",
    help="Leave this head out (repeatable): masked_lm, next_sentence, … or the "
    "beginning of the names of its tensors.",
)
@click.option(
    "--activation",
    type=click.Choice(["gelu", "gelu_tanh"]),
    help="GELU form to compute with, whatever SOURCE says.",
)
@click.option(
    "--uncased/--cased",
    "lowercase",
    default=None,
    help="Fold case or not, whatever SOURCE says.",
)
@click.option(
    "--store-dtype",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="Numbers on disk; float16 for kbert and Hugging Face only.",
)
@click.option("--overwrite", is_flag=True, help="Replace DESTINATION.")
def convert(
    source: str,
    destination: Path,
    to: str,
    without_heads: tuple[str, ...],
    activation: str | None,
    lowercase: bool | None,
    store_dtype: str,
    overwrite: bool,
) -> None:
    """Read the model SOURCE and write it, whole, to the folder DESTINATION.

    SOURCE is a kbert model directory, a Hugging Face folder with safetensors, a Google
    TF1 folder, or the name of a KerasHub preset. What stands in a folder says which,
    unless a format and a colon stand before its name, as in tf1:FOLDER. A local
    KerasHub preset, whose weights are HDF5, is read as kerashub:FOLDER only.

    \b
    Examples:
      kbert convert uncased_L-12_H-768_A-12 my-bert --to kbert
      kbert convert my-bert for-transformers --to huggingface
      kbert convert my-bert small --to kbert --store-dtype float16
      kbert convert my-bert preset --to kerashub --without-head masked_lm \\
          --without-head next_sentence --activation gelu_tanh
    """
    import_tensorflow()
    import kbert

    transfer = kbert.convert(
        source,
        destination,
        to=to,
        without_heads=without_heads,
        activation=activation,
        lowercase=lowercase,
        store_dtype=store_dtype,
        overwrite=overwrite,
    )
    _report("read", transfer.mapped)
    _report("ignored (no weights)", transfer.ignored)
    _report("left out", transfer.left_out)
    click.echo(destination)


def _report(what: str, names: tuple[str, ...]) -> None:
    shown = [*names[:_SHOWN], *(["…"] if len(names) > _SHOWN else [])]
    colon = ": " if names else ""
    click.echo(f"{len(names)} tensors {what}{colon}{', '.join(shown)}", err=True)
