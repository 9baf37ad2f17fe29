"""A labelled table, or a column of texts → examples; what their texts are as rows."""

import dataclasses
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from ..errors import ConfigError, InputError, KbertWarning
from ..features.splits import Ints
from ..readers import Item, ReaderOptions, input_format, read_items
from ..readers.items import UnevenRows
from ..tokenizer import Tokenizer
from .rows import Column, framed

DEFAULT_LABEL = "label"
ANOTHER_COLUMN = "Is it the right --label-column (label_column in Python)?"
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, slots=True)
class TextExample:
    """One or two texts, and what is right.

    Args:
        source: file name.
        line: number of the line where it begins, from 1.
        text: the text, or the first of a pair.
        text_pair: the second of a pair.
        label: of its class; several, where a text may have any number; a number, where
            the task is to give one. None if what is right is not known.
        id: from the id column.
    """

    source: str
    line: int
    text: str
    text_pair: str | None = None
    label: Any = None
    id: str | None = None


class ReadsTable(Protocol):
    """The options of reading that all tasks on tables have, under the same names."""

    format: str
    text_column: str | None
    text_pair_column: str | None
    label_column: str | None
    id_column: str | None
    header: bool
    uneven_rows: UnevenRows


def table_options(task: ReadsTable, *, gold: bool) -> ReaderOptions:
    """What a task tells the reader; without ``gold`` no label is looked for."""
    label = task.label_column or DEFAULT_LABEL
    return ReaderOptions(
        format=task.format,
        text_column=task.text_column,
        text_pair_column=task.text_pair_column,
        id_column=task.id_column,
        label_column=label if gold else None,
        header=task.header,
        uneven_rows=task.uneven_rows,
    )


def read_texts(path: str, options: ReaderOptions) -> list[TextExample]:
    """Read the examples of one file, labels as they stand there.

    Raises:
        ConfigError: a column that the file does not have, or lines, where labels are
            asked for.
        InputError: the file cannot be read, holds nothing, or a line of it is not what
            it has to be.
    """
    if options.label_column and input_format(path, options.format) == "lines":
        raise ConfigError(
            "is read as lines, which have no labels",
            where=path,
            expected="a table, or JSON Lines",
            hint="If it holds one, say so: --format tsv, csv or jsonl (format in "
            "Python).",
        )
    return [_example(item) for item in read_items([path], options)]


def token_columns(
    examples: Sequence[TextExample], tokenizer: Tokenizer, *, max_length: int
) -> dict[str, Column]:
    """The inputs of the model: one row for each example, none missing.

    Args:
        examples: with one text each, or two each.
        tokenizer: of the model.
        max_length: most tokens of a row; the longer text of a pair loses its last
            pieces first.

    Warns:
        KbertWarning: how many rows of a file were shortened, or are empty to the
            tokenizer.
    """
    sources, second = [one.source for one in examples], None
    first = pieces([example.text for example in examples], tokenizer)
    if any(example.text_pair is not None for example in examples):
        second = pieces([example.text_pair or "" for example in examples], tokenizer)
    _warn_of_nothing(
        examples, first.lengths + (0 if second is None else second.lengths)
    )
    columns, lost = framed(
        first,
        second,
        vocabulary=tokenizer.vocabulary,
        max_length=max_length,
    )
    warn_of_cuts(sources, lost, max_length=max_length)
    return columns


def pieces(texts: list[str], tokenizer: Tokenizer) -> Column:
    """int32, ragged: the word pieces of each text."""
    ragged = tokenizer.tokenize(texts)
    return Column(ragged.values.numpy(), ragged.row_splits.numpy())


def warn_of_cuts(sources: Sequence[str], lost: Ints, *, max_length: int) -> None:
    """Say once for each file how many of its rows lost how many pieces.

    Args:
        sources: ``[R]``, the file of each row.
        lost: int64 ``[R]``, the pieces that each row lost.
        max_length: most tokens of a row.

    Warns:
        KbertWarning: a row of a file lost a piece.
    """
    rows, cut, gone = Counter(sources), Counter[str](), Counter[str]()
    for number in np.flatnonzero(lost).tolist():
        cut[sources[number]] += 1
        gone[sources[number]] += int(lost[number])
    for source in cut:
        warnings.warn(
            f"{source}: {cut[source]} of {rows[source]} texts are longer than "
            f"{max_length} tokens; their last {gone[source]} word pieces are left out. "
            "Raise --max-length (max_length in Python) to keep them, if the model's "
            f"max_sequence_length is above {max_length}.",
            KbertWarning,
            stacklevel=2,
        )


def _warn_of_nothing(examples: Sequence[Any], lengths: Ints) -> None:
    """Say how many texts are nothing to the tokenizer: empty, or control characters.

    Args:
        examples: ``[R]``, with the file and the line of each.
        lengths: int64 ``[R]``, the pieces of each text.

    Warns:
        KbertWarning: a text has none.
    """
    empty = np.flatnonzero(np.asarray(lengths) == 0)
    if len(empty):
        first = examples[int(empty[0])]
        warnings.warn(
            f"{first.source}: {len(empty)} of {len(examples)} texts are nothing to the "
            f"tokenizer, the first in line {first.line}; the model sees an empty one.",
            KbertWarning,
            stacklevel=2,
        )


def require_labels(examples: Iterable[Any]) -> None:
    """Raise ``InputError`` if an example does not say what is right."""
    for example in examples:
        if example.label is None:
            raise InputError(
                "has no label to score against",
                where=example.source,
                line=example.line,
                hint="Read it with its labels, or predict it only.",
            )


def tells_nothing(figure: str, examples: Sequence[Any], why: str) -> InputError:
    """The error of held-out examples on which every model has the same figure."""
    return InputError(
        f"{why}, so {figure} is the same whatever the model says",
        where=examples[0].source,
        expected="examples that tell a better model from a worse one",
    )


def task_from(kind: type[_T], fields: Mapping[str, Any]) -> _T:
    """Build a task from the fields that its ``to_dict`` gave.

    Raises:
        ConfigError: a field that the task does not have.
    """
    known = {field.name for field in dataclasses.fields(kind)}
    for name in fields:
        if name not in known:
            raise ConfigError(
                f"unknown option {name!r} of a {kind.__name__} task",
                expected=f"one of {', '.join(sorted(known))}",
                hint="Was the model made by a newer kbert?",
            )
    listed = {name: tuple(one) for name, one in fields.items() if isinstance(one, list)}
    return kind(**{**fields, **listed})


def _example(item: Item) -> TextExample:
    if item.text is None:
        raise InputError(
            "holds words",
            where=item.source,
            line=item.line,
            expected="a text",
            hint="Give the text as one string.",
        )
    return TextExample(
        source=item.source,
        line=item.line,
        text=item.text,
        text_pair=item.text_pair,
        label=item.label,
        id=item.id,
    )
