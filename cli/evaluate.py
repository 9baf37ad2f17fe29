"""`kbert evaluate`: a fine-tuned model and a labelled file → its figures."""

from typing import Any

import click

from .options import ItemBar, overwrite_option, show_figures, warnings_in_one_line
from .quiet import import_tensorflow
from .task_options import READING, given, reading_options
from .using_options import using_of, using_options


@click.command(no_args_is_help=True)
@click.argument("source", metavar="RUN")
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", help="New folder for predictions and reports.")
@using_options
@reading_options
@overwrite_option
def evaluate(source: str, file: str, **options: Any) -> None:
    """Score RUN, a folder of kbert finetune or a model directory, on a labelled FILE.

    The official figures of the task go to standard output, one a line by name. FILE is
    read as in training, except for what options say, whose defaults are those of RUN.

    \b
    Examples:
      kbert evaluate run test.tsv
      kbert evaluate run/model other.csv --text-column review --label-column stars
      kbert evaluate run dev-v2.0.json -o scored
    """
    import_tensorflow()
    from kbert.finetuning import evaluate

    with ItemBar(None) as progress, warnings_in_one_line():
        scored = evaluate(
            source,
            file,
            output=options["output"],
            overwrite=options["overwrite"],
            reading=given(options, READING),
            progress=progress,
            **using_of(options),
        )
    show_figures(scored.figures)
    click.echo(f"{file}: {scored.examples:,} examples", err=True)
