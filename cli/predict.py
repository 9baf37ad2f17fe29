"""`kbert predict`: a fine-tuned model and a file → what it says of each example."""

from typing import Any

import click

from .options import ItemBar, overwrite_option, warnings_in_one_line
from .quiet import import_tensorflow
from .task_options import READING, given, reading_options
from .using_options import using_of, using_options


@click.command(no_args_is_help=True)
@click.argument("source", metavar="RUN")
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", required=True, help="File or folder to write.")
@using_options
@reading_options
@overwrite_option
def predict(source: str, file: str, output: str, **options: Any) -> None:
    """Write what RUN, a folder of kbert finetune or a model directory, says of FILE.

    Every example gets an answer, in the order of the file; labels are not needed. What
    no option says is as in training.

    \b
    Examples:
      kbert predict run unlabelled.tsv -o predictions.tsv
      kbert predict run lines.txt -o predictions.jsonl
      kbert predict tagger lines.txt -o predictions.jsonl --format lines
      kbert predict run/model test.tsv -o submission --compute-dtype bfloat16
    """
    import_tensorflow()
    from kbert.finetuning import predict

    with ItemBar(None) as progress, warnings_in_one_line():
        count = predict(
            source,
            file,
            output,
            overwrite=options["overwrite"],
            reading=given(options, READING),
            progress=progress,
            **using_of(options),
        )
    click.echo(f"{output}: {count:,} examples", err=True)
