"""`kbert fill-mask`: texts with [MASK] → what a model guesses to stand there."""

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from .options import model_option
from .quiet import import_tensorflow

if TYPE_CHECKING:
    from kbert.mask_filling import FilledText

_STDIN = "-"


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@model_option
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Guesses for each [MASK].",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a text.")
def fill_mask(texts: tuple[str, ...], model: str, top: int, as_json: bool) -> None:
    """Print what stands in the place of [MASK]: PROBABILITY, TOKEN and the whole text.

    One tab-separated row for each guess, the likeliest first. Several masks of a text
    are guessed apart from each other. Without TEXT, or with -, each line of standard
    input is one.

    \b
    Examples:
      kbert fill-mask "Paris is the [MASK] of France."
      kbert fill-mask "[MASK] is in [MASK]." --model RUN/model --top 3
      cat lines.txt | kbert fill-mask --json > guesses.jsonl
    """
    given = _given(texts)
    import_tensorflow()
    from kbert.mask_filling import filled_masks

    for filled in filled_masks(given, model, top=top):
        for line in [_json(filled)] if as_json else _rows(filled):
            click.echo(line)


def _given(texts: tuple[str, ...]) -> Iterator[str]:
    if texts not in ((), (_STDIN,)):
        return iter(texts)
    if _is_terminal():
        raise click.UsageError("Give a TEXT, or lines on standard input.")
    from kbert.readers.source import numbered_lines

    return (line for _, line in numbered_lines(_STDIN))


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _rows(filled: "FilledText") -> Iterator[str]:
    for mask in filled.masks:
        for guess in mask:
            text = " ".join(guess.text.split())
            yield f"{guess.probability:.4f}\t{guess.token}\t{text}"


def _json(filled: "FilledText") -> str:
    masks = [
        [
            {"token": one.token, "probability": one.probability, "text": one.text}
            for one in mask
        ]
        for mask in filled.masks
    ]
    return json.dumps({"text": filled.text, "masks": masks}, ensure_ascii=False)
