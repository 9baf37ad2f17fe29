"""`kbert extract-features`: files of text → vectors of a frozen BERT."""

import contextlib
import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from kbert.errors import OutputError

from .options import (
    ItemBar,
    model_option,
    overwrite_option,
    resume_option,
    warnings_in_one_line,
)
from .quiet import import_tensorflow

if TYPE_CHECKING:
    from kbert.features.extraction import (
        ExtractionEstimate,
        ExtractionJob,
        ExtractionReport,
    )
    from kbert.features.settings import FeatureSettings

_READING = (
    "format",
    "text_column",
    "text_pair_column",
    "id_column",
    "document_column",
    "word_column",
    "header",
)
_SETTINGS = (
    "layers",
    "combine",
    "word_pool",
    "sentence_pool",
    "normalize",
    "max_length",
    "stride",
    "context",
    "compute_dtype",
)
_HOW = ("output_format", "resume", "overwrite")


def _choice(*names: str) -> click.Choice[str]:
    return click.Choice(names)


def _finite(context: click.Context, option: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is no size.")
    return value


@click.command(no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@model_option
@click.option("-o", "--output", required=True, help="What to write; - is stdout.")
@click.option(
    "--format",
    type=_choice("auto", "lines", "conll", "csv", "tsv", "jsonl"),
    default="auto",
    show_default=True,
    help="What the inputs hold; auto goes by their endings.",
)
@click.option("--text-column", help="Column or key of the text.")
@click.option("--text-pair-column", help="Column or key of the second text of a pair.")
@click.option("--id-column", help="Column or key to keep as the item's id.")
@click.option("--document-column", help="Column or key that names the document.")
@click.option("--word-column", type=int, help="CoNLL column of the word, from 0.")
@click.option("--header/--no-header", default=True, help="Whether tables have one.")
@click.option(
    "--unit",
    type=_choice("token", "word", "sentence"),
    help="What gets a row.  [default: word for CoNLL, else sentence]",
)
@click.option(
    "--layers",
    default="-1",
    show_default=True,
    help="0 = embeddings, -1 = last; e.g. -4: or 0,-1 or all or emb.",
)
@click.option(
    "--combine",
    type=_choice("concat", "mean", "sum", "max", "stack"),
    default="concat",
    show_default=True,
    help="How several layers become one vector.",
)
@click.option(
    "--word-pool",
    type=_choice("first", "last", "mean", "max"),
    default="first",
    show_default=True,
    help="Which pieces stand for a word.",
)
@click.option(
    "--sentence-pool",
    type=_choice("mean", "max", "cls", "pooler"),
    default="mean",
    show_default=True,
    help="What stands for a sentence.",
)
@click.option("--normalize", is_flag=True, help="Scale every vector to length 1.")
@click.option("--max-length", type=int, help="Longest window in tokens.")
@click.option("--stride", type=int, help="Pieces between starts of windows.")
@click.option(
    "--context",
    type=_choice("none", "document"),
    default="none",
    show_default=True,
    help="Whether a sentence is encoded amid its document.",
)
@click.option(
    "--compute-dtype",
    type=_choice("float32", "bfloat16"),
    default="float32",
    show_default=True,
    help="Arithmetic of the encoder.",
)
@click.option(
    "--store-dtype",
    type=_choice("float32", "float16"),
    default="float32",
    show_default=True,
    help="Numbers on disk.",
)
@click.option(
    "--output-format",
    type=_choice("store", "npz", "jsonl", "hdf5", "parquet"),
    help="[default: store; jsonl for standard output]",
)
@click.option(
    "--shard-size",
    type=click.FloatRange(min=0, min_open=True),
    callback=_finite,
    default=64,
    show_default=True,
    help="Megabytes; finished shards survive a kill.",
)
@resume_option
@overwrite_option
@click.option("--dry-run", is_flag=True, help="Count, and estimate size and time.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first items.")
@warnings_in_one_line()
def extract_features(model: str, output: str, dry_run: bool, **options: Any) -> None:
    """Write the vectors of a frozen BERT for every token, word or sentence of INPUT.

    INPUT is .txt (a text a line), .conll/.bio/.iob2, .csv, .tsv or .jsonl; - is
    standard input. The output is a folder that NumPy reads (kbert.FeatureStore), or a
    file of --output-format; - writes JSON lines to standard output.

    \b
    Examples:
      kbert extract-features reviews.txt --model kbert-mini -o vectors
      kbert extract-features train.conll --model MODEL --layers -4: \\
          --context document --compute-dtype bfloat16 --store-dtype float16 -o words
      kbert extract-features pairs.csv --model MODEL --text-column a \\
          --text-pair-column b --sentence-pool pooler --output-format npz -o pairs.npz
      cat lines.txt | kbert extract-features - --model MODEL -o - > vectors.jsonl
    """
    _check_stdout(output, options)
    import_tensorflow()
    from kbert.checkpoints import load
    from kbert.features.engine import FeatureEngine
    from kbert.features.extraction import (
        estimate,
        extract_features_to,
        extract_to_stream,
    )

    job = _job(options)
    total = job.count()
    engine = FeatureEngine(load(model), _settings(options))
    if dry_run:
        _show_estimate(estimate(engine, job))
        return
    with ItemBar(total) as progress:
        if output == "-":
            with _closing_stdout_on_error():
                report = extract_to_stream(
                    engine, job, sys.stdout.buffer, progress=progress
                )
        else:
            how = {name: options[name] for name in _HOW if options[name]}
            report = extract_features_to(engine, job, output, **how, progress=progress)
    _show_report(report)


def _job(options: dict[str, Any]) -> "ExtractionJob":
    from kbert.features.extraction import ExtractionJob
    from kbert.readers import ReaderOptions

    reading = {name: options[name] for name in _READING if options[name] is not None}
    return ExtractionJob(
        inputs=options["inputs"],
        reading=ReaderOptions(**reading),
        limit=options["limit"],
        store_dtype=options["store_dtype"],
        shard_bytes=max(1, int(options["shard_size"] * 1e6)),
    )


def _check_stdout(output: str, options: dict[str, Any]) -> None:
    """Refuse what standard output cannot do, rather than ignore it."""
    if output != "-":
        return
    if options["output_format"] not in (None, "jsonl"):
        raise click.UsageError("-o - writes jsonl; leave out --output-format.")
    if options["resume"]:
        raise click.UsageError("-o - cannot be resumed; leave out --resume.")


@contextlib.contextmanager
def _closing_stdout_on_error() -> Iterator[None]:
    # Python would write what it could not write once more at its end, and fail again.
    try:
        yield
    except OutputError:
        with contextlib.suppress(OSError):
            sys.stdout.close()
        raise


def _settings(options: dict[str, Any]) -> "FeatureSettings":
    from kbert.features.settings import FeatureSettings
    from kbert.readers import input_format

    formats = {input_format(path, options["format"]) for path in options["inputs"]}
    unit = options["unit"] or ("word" if formats == {"conll"} else "sentence")
    return FeatureSettings(unit=unit, **{name: options[name] for name in _SETTINGS})


def _show_estimate(estimate: "ExtractionEstimate") -> None:
    click.echo(
        f"{estimate.items:,} items, {estimate.rows:,} rows, "
        f"{estimate.bytes / 1e6:,.1f} MB, about {estimate.seconds:,.0f} s"
    )


def _show_report(report: "ExtractionReport") -> None:
    click.echo(
        f"{report.path}: {report.items:,} items, {report.rows:,} rows; "
        f"{report.unk:,} unk, {report.empty:,} empty, {report.truncated:,} truncated",
        err=True,
    )
