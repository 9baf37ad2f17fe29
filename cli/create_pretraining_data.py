"""`kbert create-pretraining-data`: files of raw text → rows to pretrain on."""

from typing import TYPE_CHECKING, Any

import click

from .options import overwrite_option, resume_option, seed_option
from .quiet import import_tensorflow

if TYPE_CHECKING:
    from kbert.pretraining_data import (
        PretrainingData,
        PretrainingDataSettings,
        StaticMasks,
    )

_SETTINGS = (
    "objective",
    "seed",
    "short_sequence_rate",
    "lowercase",
    "strip_accents",
    "already_split",
    "evaluation_fraction",
    "shards",
    "text_column",
)
_STATIC = ("dupe_factor", "masking", "max_predictions")


class _Numbers(click.ParamType):
    """``128`` or ``128,512``: a tuple of whole numbers."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(map(int, value.split(",")))
        except ValueError:
            self.fail(f"{value!r} is not one or more whole numbers, as in 128,512.")


class _Bars:
    """Two progress bars on stderr, one after the other: documents, then shards.

    Only a terminal shows them.
    """

    def __init__(self) -> None:
        self._bars: dict[str, Any] = {}

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *error: object) -> None:
        for bar in self._bars.values():
            bar.close()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        from tqdm import tqdm

        if stage not in self._bars:
            unit = f" {stage}"
            self._bars[stage] = tqdm(
                total=total, unit=unit, dynamic_ncols=True, disable=None
            )
        self._bars[stage].update(done)


@click.command(no_args_is_help=True)
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS...")
@click.option(
    "--vocab",
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    help="vocab.txt of the model to be.",
)
@click.option("-o", "--output", required=True, help="Folder to write.")
@click.option(
    "--objective",
    type=click.Choice(["nsp", "sop", "none"]),
    default="nsp",
    show_default=True,
    help="Is B the next sentence; are A and B in order; or rows of one part.",
)
@click.option(
    "--sequence-length",
    "sequence_lengths",
    type=_Numbers(),
    default="128",
    show_default=True,
    metavar="N[,N]",
    help="Tokens of a row; several lengths are made in one go.",
)
@seed_option
@click.option(
    "--short-sequence-rate",
    type=click.FloatRange(0, 1),
    help="Share of documents cut into shorter rows.  [default: 0.1; 0 for none]",
)
@click.option(
    "--uncased/--cased",
    "lowercase",
    default=None,
    help="Fold case, or not.  [default: as the vocabulary looks]",
)
@click.option(
    "--strip-accents/--keep-accents",
    default=None,
    help="Delete accents, or not.  [default: delete them where case is folded]",
)
@click.option("--already-split", is_flag=True, help="Each line is one sentence.")
@click.option(
    "--evaluation-fraction",
    type=click.FloatRange(0, 0.5),
    default=0.01,
    show_default=True,
    help="Share of documents that is held out.",
)
@click.option(
    "--shards",
    type=click.IntRange(min=1),
    help="Files of each length.  [default: 16, more for a large corpus]",
)
@click.option(
    "--text-column", default="text", show_default=True, help="Key of the text in JSONL."
)
@click.option("--static-masks", is_flag=True, help="Write masks, in Google's schema.")
@click.option(
    "--dupe-factor",
    type=click.IntRange(min=1),
    help="Copies with other pairs and masks.  [default: 10; with --static-masks]",
)
@click.option(
    "--masking",
    type=click.Choice(["token", "whole-word"]),
    help="What is masked.  [default: token; with --static-masks]",
)
@click.option(
    "--max-predictions",
    type=_Numbers(),
    metavar="N[,N]",
    help="Most masks of a row.  [default: 15 % of it; with --static-masks]",
)
@click.option(
    "--workers", type=click.IntRange(min=1), help="Processes.  [default: all cores]"
)
@resume_option
@overwrite_option
def create_pretraining_data(
    corpus: tuple[str, ...], vocab: str, output: str, **options: Any
) -> None:
    """Turn CORPUS into shuffled rows for pretraining, in TFRecord files.

    CORPUS is .txt (an empty line between documents) or .jsonl ({"text": …} a line),
    each perhaps with .gz, .xz, .bz2 or .zst after it; - is standard input. The same
    CORPUS and options give the same bytes, whatever the number of workers.

    \b
    Examples:
      kbert create-pretraining-data novels.txt.xz --vocab vocab.txt -o data
      kbert create-pretraining-data news.jsonl.gz --vocab vocab.txt -o data \\
          --objective none --sequence-length 128,512 --seed 1
      kbert create-pretraining-data novels.txt --vocab vocab.txt -o data \\
          --static-masks --dupe-factor 5 --masking whole-word
    """
    if options["workers"] == 1:
        import_tensorflow()
    from kbert.pretraining_data import create_pretraining_data

    with _Bars() as progress:
        data = create_pretraining_data(
            corpus,
            output,
            vocabulary=vocab,
            settings=_settings(options),
            workers=options["workers"],
            resume=options["resume"],
            overwrite=options["overwrite"],
            progress=progress,
        )
    _report(data)


def _settings(options: dict[str, Any]) -> "PretrainingDataSettings":
    from kbert.pretraining_data import PretrainingDataSettings

    return PretrainingDataSettings(
        sequence_lengths=options["sequence_lengths"],
        static=_static(options),
        **{name: options[name] for name in _SETTINGS},
    )


def _static(options: dict[str, Any]) -> "StaticMasks | None":
    from kbert.pretraining_data import StaticMasks

    given = {name: options[name] for name in _STATIC if options[name] is not None}
    if options["static_masks"]:
        return StaticMasks(**given)
    if given:
        flag = f"--{next(iter(given)).replace('_', '-')}"
        raise click.UsageError(
            f"{flag} needs --static-masks; otherwise masks are drawn during training."
        )
    return None


def _report(data: "PretrainingData") -> None:
    """Say what was made, and what was lost."""
    counts = data.manifest["counts"]
    click.echo(
        f"{data.path}: {counts['documents']:,} documents, {counts['sentences']:,} "
        f"sentences, {counts['tokens']:,} tokens; {counts['empty_documents']:,} empty "
        f"documents, {counts['unknown_tokens']:,} unknown words",
        err=True,
    )
    for length in data.lengths:
        rows, held_out = (
            sum(shard.records for shard in data.shards(length, split))
            for split in ("train", "evaluation")
        )
        lost = data.manifest["sequences"][str(length)]["train_counts"]
        tokens = lost["truncated_tokens"] + lost["dropped_tokens"]
        shards = len(data.shards(length))
        click.echo(
            f"length {length}: {rows:,} rows in {shards} shard{'s' * (shards > 1)}, "
            f"{held_out:,} held out; {tokens:,} tokens did not fit",
            err=True,
        )
