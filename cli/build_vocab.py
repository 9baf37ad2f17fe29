"""`kbert build-vocab`: files of raw text → the vocabulary of their word pieces."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kbert import io
from kbert.errors import OutputError

from .options import ItemBar, overwrite_option
from .quiet import import_tensorflow

if TYPE_CHECKING:
    from kbert.vocabulary import Vocabulary
    from kbert.vocabulary_training import WordCounts


@click.command(no_args_is_help=True)
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS...")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="vocab.txt."
)
@click.option(
    "--size",
    type=click.IntRange(min=1),
    default=30_000,
    show_default=True,
    help="Tokens in all, special and old ones included.",
)
@click.option(
    "--uncased/--cased",
    "lowercase",
    default=None,
    help="Fold case and strip accents, or not.  "
    "[default: --uncased, or as the vocabulary to extend]",
)
@click.option(
    "--extend",
    type=click.Path(path_type=Path),
    metavar="VOCAB",
    help="Keep the tokens and ids of this vocabulary; add what CORPUS needs.",
)
@click.option(
    "--min-character-count",
    type=click.IntRange(min=1),
    help="Characters that stand in CORPUS less often get no token.  "
    "[default: one in 10 million]",
)
@click.option(
    "--text-column", default="text", show_default=True, help="Key of the text in JSONL."
)
@overwrite_option
def build_vocab(
    corpus: tuple[str, ...],
    output: Path,
    size: int,
    lowercase: bool | None,
    extend: Path | None,
    min_character_count: int | None,
    text_column: str,
    overwrite: bool,
) -> None:
    """Learn the word pieces of CORPUS and write them, one a line, to a vocab.txt.

    CORPUS is .txt (an empty line between documents) or .jsonl ({"text": …} a line),
    each perhaps with .gz, .xz, .bz2 or .zst after it; - is standard input. Special
    tokens come first, then single characters, then pieces by frequency. The same CORPUS
    gives the same file.

    \b
    Examples:
      kbert build-vocab novels.txt.xz news.jsonl.gz --cased -o vocab.txt
      kbert build-vocab 'laws.txt' --size 21128 -o vocab.txt
      kbert build-vocab reports/*.txt --extend my-bert/vocab.txt --size 35000 -o new.txt
    """
    import_tensorflow()
    from kbert.vocabulary import Vocabulary
    from kbert.vocabulary_training import check_size, count_words, learn_vocabulary

    _check_output(output, overwrite=overwrite)
    if overwrite:
        io.refuse_inputs_inside(output, corpus)
    old = Vocabulary.from_file(extend) if extend else None
    check_size(size, extend=old)
    if lowercase is None:
        lowercase = not (old and old.is_cased)
    with ItemBar(None) as progress:
        counts = count_words(
            corpus, lowercase=lowercase, text_column=text_column, progress=progress
        )
    vocabulary = learn_vocabulary(
        counts, size=size, extend=old, min_character_count=min_character_count
    )
    with io.writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
    vocabulary.save(output)
    _report(output, vocabulary, counts, size=size, lowercase=lowercase)


def _check_output(output: Path, *, overwrite: bool) -> None:
    """Refuse, before the corpus is read, what cannot be written to."""
    io.check_place(output)
    if output.is_dir():
        raise OutputError("is a folder", where=output, expected="the name of a file")
    io.refuse_existing(output, overwrite=overwrite)


def _report(
    output: Path,
    vocabulary: "Vocabulary",
    counts: "WordCounts",
    *,
    size: int,
    lowercase: bool,
) -> None:
    """Say what was made, and what is not as one might have hoped."""
    kind = "uncased" if lowercase else "cased"
    words = sum(counts.words.values())
    click.echo(
        f"{output}: {len(vocabulary):,} tokens, {kind}; from {counts.documents:,} "
        f"documents, {words:,} words, {len(counts.words):,} distinct",
        err=True,
    )
    if len(vocabulary) < size:
        click.echo(
            f"Note: {len(vocabulary):,} tokens, not {size:,}: the corpus holds no more "
            "pieces that it uses twice.",
            err=True,
        )
    if counts.forgotten:
        click.echo(
            f"Note: {counts.forgotten:,} rare words were forgotten: too many distinct "
            "ones to hold in memory.",
            err=True,
        )
    rare = [one for one in counts.characters if one not in vocabulary.ids]
    if rare:
        shown = " ".join(rare[:20]) + (" …" if len(rare) > 20 else "")
        click.echo(
            f"Note: {len(rare):,} rare characters have no token; words with them "
            f"become [UNK] (--min-character-count): {shown}",
            err=True,
        )
