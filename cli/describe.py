"""`kbert describe`: print the parameters, memory and FLOPs of a model, part by part."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kbert.config import HEADS, SIZES, BertConfig, read_json_object
from kbert.errors import ConfigError

from .quiet import import_tensorflow

if TYPE_CHECKING:
    from kbert.parameters import ParameterRow

_BYTES = {"float32": 4, "bfloat16": 2}
_LENGTH = 128
_ENGLISH = 30522  # pieces in the vocabulary of the published uncased English models
_OF_MODELS = ("config.json", "bert_config.json")  # that stand in the folder of a model


class HeadType(click.ParamType):
    """NAME or NAME=UNITS → (name, units)."""

    name = "NAME[=UNITS]"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, int]:
        name, _, units = value.partition("=")
        if name not in HEADS or not (units or "1").isdecimal():
            known = ", ".join(HEADS)
            self.fail(f"{value!r} is not NAME or NAME=UNITS of {known}.", param, ctx)
        return name, int(units or ("1" if name == "multiple_choice" else "2"))


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option(
    "--vocabulary-size",
    type=click.IntRange(min=1),
    help=f"Rows of the token embedding, for a named size.  [default: {_ENGLISH}]",
)
@click.option(
    "--head",
    "heads",
    type=HeadType(),
    multiple=True,
    help="Add a head to a named size or config file (repeatable): "
    + ", ".join(HEADS)
    + ".",
)
@click.option(
    "--length",
    type=click.IntRange(min=1),
    help="Tokens a text, for the FLOPs of attention.  [default: 128, or the longest]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")
def describe(
    model: str,
    vocabulary_size: int | None,
    heads: tuple[tuple[str, int], ...],
    length: int | None,
    as_json: bool,
) -> None:
    """Print how many parameters each part of MODEL has, and what it costs.

    MODEL is the name of a size (tiny, mini, small, medium, base, large), the JSON file
    of a config, or anything that --model takes elsewhere. A size and a config are not
    built, so that they take no time and no memory. The config.json of a model stands
    for its folder.

    FLOPs are those of the matrix products per token, 2 for a multiplication with its
    addition. The pooler's are shared out among the tokens of a text.

    \b
    Examples:
      kbert describe base
      kbert describe large --vocabulary-size 21128 --head masked_lm --length 512
      kbert describe my-model --json
    """
    from kbert.parameters import parameter_table

    if vocabulary_size is not None and not _is_size(model):
        raise click.UsageError("--vocabulary-size goes with the name of a size.")
    config = _config(model, vocabulary_size or _ENGLISH)
    units, pooler = dict(heads), True
    if config is None:
        if heads:
            raise click.UsageError(
                "--head goes with a named size or a config file; a model has its own."
            )
        config, units, pooler = _loaded(model)
    length = length or min(_LENGTH, config.max_sequence_length)
    rows = parameter_table(config, heads=units, pooler=pooler, length=length)
    click.echo(_json(rows, config, length) if as_json else _table(rows, length))


def _is_size(model: str) -> bool:
    return model in SIZES and not Path(model).exists()


def _config(model: str, vocabulary_size: int) -> BertConfig | None:
    """The config if MODEL is one by itself; None if it has to be loaded."""
    if _is_size(model):
        return BertConfig.from_size(model, vocabulary_size=vocabulary_size)
    if Path(model).suffix != ".json" or Path(model).is_dir() or _is_of_model(model):
        return None
    return BertConfig.load(model)


def _is_of_model(path: str) -> bool:
    """Whether a JSON file is a part of a model, not what ``BertConfig.save`` writes."""
    if "vocabulary_size" in read_json_object(path):
        return False
    if Path(path).name not in _OF_MODELS:
        raise ConfigError(
            'holds no "vocabulary_size"',
            where=path,
            expected="what BertConfig.save writes",
            hint="If it is the config of a model, give the folder of the model.",
        )
    return True


def _loaded(model: str) -> tuple[BertConfig, dict[str, int], bool]:
    import_tensorflow()
    import kbert
    from kbert.checkpoints.assembly import has_pooler, head_units

    path = Path(model)
    of_model = path.name in _OF_MODELS and path.is_file()
    bert = kbert.load(path.parent if of_model else model)
    return bert.config, head_units(bert), has_pooler(bert)


def _totals(rows: list["ParameterRow"]) -> tuple[int, float]:
    return sum(row.parameters for row in rows), sum(row.flops_per_token for row in rows)


def _table(rows: list["ParameterRow"], length: int) -> str:
    parameters, flops = _totals(rows)
    lines = [("PART", "EACH", "TIMES", "PARAMETERS", "FLOPS/TOKEN")]
    lines += [
        (
            row.part,
            f"{row.each:,}",
            f"{row.times}",
            f"{row.parameters:,}",
            f"{row.flops_per_token:,.0f}",
        )
        for row in rows
    ]
    lines.append(("total", "", "", f"{parameters:,}", f"{flops:,.0f}"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(
            (cell.ljust if number == 0 else cell.rjust)(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    memory = ", ".join(
        f"{parameters * size / 1e6:,.1f} MB in {dtype}"
        for dtype, size in _BYTES.items()
    )
    return "\n".join([*text, "", f"weights: {memory}", f"texts of {length} tokens"])


def _json(rows: list["ParameterRow"], config: BertConfig, length: int) -> str:
    parameters, flops = _totals(rows)
    content = {
        "config": config.to_dict(),
        "length": length,
        "parts": [
            {
                "part": row.part,
                "each": row.each,
                "times": row.times,
                "parameters": row.parameters,
                "flops_per_token": row.flops_per_token,
            }
            for row in rows
        ],
        "parameters": parameters,
        "bytes": {dtype: parameters * size for dtype, size in _BYTES.items()},
        "flops_per_token": flops,
    }
    return json.dumps(content, indent=2)
