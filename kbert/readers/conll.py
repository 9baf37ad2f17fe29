"""CoNLL columns → one item a sentence, with its words and tags."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ConfigError, InputError
from .items import Item, ReaderOptions
from .source import display_name, inner_ending, numbered_lines

MAX_WORDS = 1_000_000
_DOCUMENT_START = "-DOCSTART-"
_BLANKS = re.compile(" +")
# What the columns are called elsewhere, where they may have numbers too.
_ALIASES = {"text_column": "word_column", "label_column": "tag_column"}


def read_conll(path: str, options: ReaderOptions) -> Iterator[Item]:
    """Group token lines into sentences.

    - A line with a tab is split at every tab, so a word may hold blanks, or be empty;
      any other line at runs of the ASCII blank only, so U+00A0 and the like are
      characters of a word.
    - A line of nothing but blanks and tabs ends the sentence.
    - A ``-DOCSTART-`` line ends the document and gives no word.
    - Every other line has as many columns as the first one. With more than one, the
      last is the tag, or the one that is asked for.

    Raises:
        ConfigError: no such column, or that of the words is that of the tags.
        InputError: a line with another number of columns, or a million words without
            an empty line.
    """
    sentence, width, document, started = _Sentence(path), None, 0, False
    word_column, tag_column = options.word_column, options.tag_column
    for number, line in numbered_lines(path):
        columns = _split(line)
        if columns and columns[0] != _DOCUMENT_START:
            if width is None:
                width = len(columns)
                _check_options(options, width, display_name(path))
                if tag_column is None and width > 1:
                    tag_column = width - 1
            _check_columns(columns, width, display_name(path), number)
            sentence.add(columns, number, word_column, tag_column)
            continue
        if sentence.words:
            yield sentence.item(document)
            sentence, started = _Sentence(path), True
        if columns and started:
            document, started = document + 1, False
    if sentence.words:
        yield sentence.item(document)


def count_columns(path: str) -> int | None:
    """The columns of the first word of a CoNLL file; ``None`` if it has no word.

    Raises:
        InputError: the file cannot be read.
    """
    for _, line in numbered_lines(path):
        columns = _split(line)
        if columns and columns[0] != _DOCUMENT_START:
            return len(columns)
    return None


def numbered_columns(
    path: str, options: Mapping[str, Any], *, format: str = "auto"
) -> dict[str, Any]:
    """Take numbers under the names of table columns for those of CoNLL columns.

    Args:
        path: of a file of tagged words.
        options: ``text_column`` and ``label_column`` may be numbers.
        format: of the file; ``"auto"`` is conll unless the name ends in ``.jsonl``.

    Returns:
        The options with ``word_column`` and ``tag_column`` in their place; as they are
        if the file is not conll: its keys may be numbers.

    Raises:
        ConfigError: a column of conll has no number, or is given under both names.
    """
    changed = {**options}
    if format == "auto":
        format = "jsonl" if inner_ending(path) == ".jsonl" else "conll"
    for name, own in _ALIASES.items():
        column = options.get(name)
        if format != "conll" or column is None:
            continue
        if not str(column).isdecimal():
            raise ConfigError(
                f"{name}={column!r}",
                where=display_name(path),
                expected="the number of a column, from 0, as conll has no names",
            )
        if options.get(own) is not None:
            raise ConfigError(
                f"{name}={column!r} and {own}={options[own]}",
                where=display_name(path),
                expected="one of them: both number the same column",
            )
        del changed[name]
        changed[own] = int(column)
    return changed


class _Sentence:
    """The words seen since the last empty line."""

    def __init__(self, path: str) -> None:
        self.path, self.line = path, 0
        self.words: list[str] = []
        self.tags: list[str] = []

    def add(
        self,
        columns: list[str],
        number: int,
        word_column: int,
        tag_column: int | None,
    ) -> None:
        if len(self.words) >= MAX_WORDS:
            raise InputError(
                f"more than {MAX_WORDS} words since line {self.line}",
                where=display_name(self.path),
                line=number,
                expected="an empty line between sentences",
            )
        self.line = self.line or number
        self.words.append(columns[word_column])
        if tag_column is not None:
            self.tags.append(columns[tag_column].strip(" "))

    def item(self, document: int) -> Item:
        return Item(
            source=self.path,
            line=self.line,
            document=document,
            words=tuple(self.words),
            tags=tuple(self.tags) if self.tags else None,
        )


def _split(line: str) -> list[str]:
    bare = line.strip(" \t")
    if not bare:
        return []
    return line.split("\t") if "\t" in line else _BLANKS.split(bare)


def _check_options(options: ReaderOptions, width: int, where: str) -> None:
    word, tag = options.word_column, options.tag_column
    if tag is not None:
        for name, column in (("word_column", word), ("tag_column", tag)):
            if column >= width or word == tag:
                raise ConfigError(
                    f"{name}={column} in a file of {width} columns",
                    where=where,
                    expected=f"0 to {width - 1}, another one for words than for tags",
                )
    elif word >= width or (width > 1 and word == width - 1):
        last = "the last one holds the tags" if width > 1 else "there is one column"
        raise ConfigError(
            f"word_column={word} in a file of {width} columns",
            where=where,
            expected=f"0 to {max(0, width - 2)}, because {last}",
        )


def _check_columns(columns: list[str], width: int, where: str, number: int) -> None:
    if len(columns) != width:
        raise InputError(
            f"{len(columns)} columns in {_shortened(columns)}",
            where=where,
            line=number,
            expected=f"{width}, as in the lines before",
            hint="Separate the columns by one tab, and sentences by an empty line.",
        )


def _shortened(columns: list[str]) -> str:
    text = repr(" ".join(columns))
    return text if len(text) <= 60 else f"{text[:57]}…'"
