"""What a reader gives and what it is told: one item, and the options."""

import dataclasses
from typing import Literal, get_args

from ..errors import ConfigError

UnevenRows = Literal["refuse", "cut", "join"]


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One line, sentence of words, or table row of the user's files.

    Args:
        source: file name as the user gave it; ``"-"`` is standard input.
        line: number of the line where the item begins, from 1.
        document: running number of its document over all inputs, from 0.
        id: from the id column, if one was asked for.
        text: raw text (lines, csv, tsv, jsonl).
        text_pair: raw text of the second part, if a column for it was given.
        words: the words, if the file has them split already (conll, jsonl). Either
            this or ``text`` is set.
        tags: one a word: a CoNLL column, if there is one besides the words, or the
            ``"tags"`` of a JSON object, or what is asked for instead, if they are one
            string a word.
        label: of the whole item, from the label column, if one was asked for: a table
            cell as it is; a JSON string, number or list as one string or several.
        endings: what may follow the text, from the ending columns, if any.
    """

    source: str
    line: int
    document: int
    id: str | None = None
    text: str | None = None
    text_pair: str | None = None
    words: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    label: str | tuple[str, ...] | None = None
    endings: tuple[str, ...] | None = None

    def in_document(self, document: int) -> "Item":
        """The same item with another document number."""
        if document == self.document:
            return self
        return dataclasses.replace(self, document=document)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReaderOptions:
    """How to read the input files.

    Args:
        format: ``"auto"`` goes by each file's ending; or lines, conll, csv, tsv, jsonl.
        text_column: table column or JSON key of the text. By default the only column,
            or the one called text or sentence (JSON: also words or tokens).
        text_pair_column: column or key of the second text of a pair.
        id_column: column or key to keep as ``Item.id``.
        document_column: column or key that names the document; neighbouring rows with
            one value are one document. Without it every row is its own.
        word_column: CoNLL column of the word, from 0.
        tag_column: CoNLL column of the tag, from 0; by default the last one, if there
            is more than one.
        header: whether csv and tsv begin with a line of names; without one, columns
            are given as numbers from 0.
        label_column: column or key to keep as ``Item.label``; for a reader of tags the
            key of ``Item.tags``, by default tags.
        ending_columns: columns or keys to keep as ``Item.endings``; in JSON, one key
            may hold the list of them.
        uneven_rows: what a table row may be that is not as wide as the first:
            ``"refuse"`` none; ``"cut"`` a wider one, whose last cells are left out;
            ``"join"`` a narrower one, which goes on in the next line, because one of
            its cells holds a line end.

    Raises:
        ConfigError: a column number or a way with uneven rows that is none.
    """

    format: str = "auto"
    text_column: str | None = None
    text_pair_column: str | None = None
    id_column: str | None = None
    document_column: str | None = None
    word_column: int = 0
    tag_column: int | None = None
    header: bool = True
    label_column: str | None = None
    ending_columns: tuple[str, ...] = ()
    uneven_rows: UnevenRows = "refuse"

    def __post_init__(self) -> None:
        for name in ("word_column", "tag_column"):
            column = getattr(self, name)
            if column is not None and column < 0:
                raise ConfigError(f"{name}={column}", expected="0 or more")
        if self.uneven_rows not in get_args(UnevenRows):
            raise ConfigError(
                f"uneven_rows={self.uneven_rows!r}",
                expected=f"one of {', '.join(get_args(UnevenRows))}",
            )

    def given(self) -> list[str]:
        """Names of the options other than ``format`` that differ from the default."""
        return [
            field.name
            for field in dataclasses.fields(self)
            if field.name != "format" and getattr(self, field.name) != field.default
        ]
