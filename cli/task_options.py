"""The options of tasks, for the commands that train, score and use them."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from .options import Several, with_options

_count = click.IntRange(min=1)
GLUE_CLASSES = ("CoLA", "SST-2", "MRPC", "QQP", "MNLI", "QNLI", "RTE", "WNLI")

_TEXT = click.option("--text-column", help="Column or key of the text, or its number.")
_PAIR = click.option(
    "--text-pair-column", help="Column or key of the second text of a pair."
)
_ID = click.option("--id-column", help="Column or key that predictions are named by.")
_HEADER = click.option(
    "--header/--no-header",
    default=None,
    help="Whether tables begin with names; else columns are numbers from 0.",
)


def _format(*names: str) -> Callable[[Any], Any]:
    return click.option(
        "--format",
        type=click.Choice(["auto", *names]),
        help="What the files hold.  [default: as their endings say]",
    )


_UNEVEN = click.option(
    "--uneven-rows",
    type=click.Choice(["refuse", "cut", "join"]),
    help="What of table rows not as wide as the first.  [default: refuse]",
)
_LABEL = click.option(
    "--label-column", help="Column or key of what is right.  [default: label]"
)
_ENDINGS = click.option(
    "--ending-columns",
    type=Several(click.STRING),
    help="Columns or keys of the endings, with commas between.",
)
_SKIP_BAD = click.option(
    "--skip-bad",
    is_flag=True,
    default=None,
    help="Look elsewhere in the context for training answers that are not at their "
    "place; leave out, and count, those that are nowhere.",
)
_ANSWERS = (
    click.option(
        "--max-answer-length",
        type=_count,
        help="In word pieces.  [default: 30]",
    ),
    click.option("--n-best", type=_count, help="Answers kept.  [default: 20]"),
    click.option(
        "--doc-stride",
        type=_count,
        help="Word pieces between starts of windows.  [default: 128]",
    ),
    click.option(
        "--max-query-length", type=_count, help="In word pieces.  [default: 64]"
    ),
    click.option(
        "--null-threshold",
        type=float,
        help="Odds above which there is no answer.  [default: the best on dev]",
    ),
    click.option(
        "--scorer",
        type=click.Choice(["squad", "cmrc"]),
        help="The official script to score as.  [default: squad]",
    ),
)
_WORD_COLUMN = click.option(
    "--word-column",
    type=click.IntRange(min=0),
    help="CoNLL column of the word.  [default: 0]",
)


_TAG_COLUMN = click.option(
    "--tag-column",
    type=click.IntRange(min=0),
    help="CoNLL column of the tag, from 0.  [default: the last]",
)
_WORD_KEY = click.option(
    "--text-column",
    help="JSON key of the list of words; of a CoNLL file, as --word-column.",
)
_TAG_KEY = click.option(
    "--label-column",
    help="JSON key of the list of tags; of a CoNLL file, as --tag-column.  "
    "[default: tags]",
)
_WORDS = (
    click.option(
        "--context",
        type=click.Choice(["none", "document"]),
        help="Whether a sentence is read amid its document.  [default: none]",
    ),
    click.option(
        "--stride",
        type=_count,
        help="Word pieces between starts of windows.  [default: half a row]",
    ),
    click.option(
        "--strip-word-digits/--no-strip-word-digits",
        default=None,
        help="Take digits from the ends of words, as the Weibo files need.",
    ),
)
_CELLS = (_TEXT, _PAIR, _LABEL, _ID, _HEADER, _UNEVEN)
_DOCUMENT = click.option(
    "--document-column", help="JSON key that names the document, for --context."
)
_TABLES = (*_CELLS, _format("lines", "csv", "tsv", "jsonl"))


def _glue(*names: str) -> Callable[[Any], Any]:
    return click.option(
        "--glue",
        type=click.Choice(names, case_sensitive=False),
        metavar="TASK",
        help=f"Read the official files of {', '.join(names)}, and score as GLUE does.",
    )


_LABELS = (
    click.option(
        "--multi-label",
        is_flag=True,
        default=None,
        help="A text may have any number of labels.",
    ),
    click.option("--label-separator", help="Between several labels.  [default: |]"),
)
_SCHEME = click.option(
    "--scheme",
    type=click.Choice(["iob1", "iob2", "iobes", "bilou", "bmes", "plain"]),
    help="How tags mark entities.  [default: as in --train]",
)
_VERSION = click.option(
    "--version-2/--version-1",
    default=None,
    help="Whether a question may have no answer.  [default: as in --train]",
)

_CLASS_WEIGHTS = click.option(
    "--class-weights",
    metavar="balanced|NAME=W,…",
    help="How much the examples of a class count, or the words of a tag.",
)
classify_options = with_options(
    (
        *_TABLES,
        *_LABELS,
        _CLASS_WEIGHTS,
        _glue(*GLUE_CLASSES),
    )
)
regress_options = with_options((*_TABLES, _glue("STS-B")))
ner_options = with_options(
    (
        _WORD_COLUMN,
        _TAG_COLUMN,
        _WORD_KEY,
        _TAG_KEY,
        _DOCUMENT,
        _format("conll", "jsonl", "lines"),
        _SCHEME,
        click.option(
            "--crf",
            is_flag=True,
            default=None,
            help="Decide on whole sentences by a conditional random field.",
        ),
        _CLASS_WEIGHTS,
        *_WORDS,
    )
)
choice_options = with_options((*_TABLES, _ENDINGS))
qa_options = with_options(
    (
        _VERSION,
        *_ANSWERS,
        _SKIP_BAD,
    )
)
_all_reading = with_options(
    (
        *_CELLS,
        _format("lines", "conll", "csv", "tsv", "jsonl"),
        _ENDINGS,
        _glue(*GLUE_CLASSES, "STS-B"),
        _WORD_COLUMN,
        _TAG_COLUMN,
        _DOCUMENT,
        *_LABELS,
        _SCHEME,
        *_WORDS,
        _VERSION,
        *_ANSWERS,
    )
)


def reading_options(command: Any) -> Any:
    """What may be another one for another file, or of a model that does not say it.

    The defaults are what the model was trained with, so those of training are not told.
    """
    command = _all_reading(command)
    for option in command.__click_params__:
        if option.name in READING:
            option.help = option.help.partition("  [default:")[0]
    return command


READING = (
    "text_column",
    "text_pair_column",
    "label_column",
    "id_column",
    "header",
    "format",
    "uneven_rows",
    "ending_columns",
    "glue",
    "multi_label",
    "label_separator",
    "scheme",
    "word_column",
    "tag_column",
    "document_column",
    "context",
    "stride",
    "strip_word_digits",
    "version_2",
    "max_answer_length",
    "n_best",
    "doc_stride",
    "max_query_length",
    "null_threshold",
    "scorer",
)


def given(options: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of the options that the user gave; the task knows its own defaults."""
    return {name: options[name] for name in names if options[name] is not None}


def class_weights(text: str | None) -> str | dict[str, float] | None:
    """Read ``balanced`` or ``yes=2,no=0.5``."""
    if text is None or text == "balanced":
        return text
    weights = {}
    for part in text.split(","):
        name, _, number = part.rpartition("=")
        try:
            weights[name] = float(number)
        except ValueError:
            name = ""
        if not name:
            raise click.BadParameter(
                f"{part!r} is no label with its weight, as in yes=2,no=0.5.",
                param_hint="--class-weights",
            )
    return weights
