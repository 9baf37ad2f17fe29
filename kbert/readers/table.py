"""CSV and TSV tables → one item a row."""

import collections
import csv
import warnings
from collections.abc import Iterator

from ..errors import ConfigError, InputError, KbertWarning
from .items import Item, ReaderOptions
from .source import display_name, numbered_lines

MAX_FIELD_CHARACTERS = 64 << 20
_MAX_SHOWN = 40  # characters of a name
_MAX_JOINED = 64  # lines of one row; more are no row that broke, but another file
_TEXT_NAMES = ("text", "sentence")
_NUL = "a NUL character; is this a text file?"
_Row = tuple[int, list[str]]  # the line where it begins, and its cells


def read_csv(path: str, options: ReaderOptions) -> Iterator[Item]:
    """Comma-separated rows; quotes as in RFC 4180, so a cell may hold line ends.

    Raises:
        ConfigError: a column that the table does not have.
        InputError: a row with another number of cells, an open quote, a NUL, a cell of
            more than 64 MiB characters.

    Warns:
        KbertWarning: what is taken for a line of names may be the first text.
    """
    return _items(path, _csv_rows(path), options)


def read_tsv(path: str, options: ReaderOptions) -> Iterator[Item]:
    """Tab-separated rows, one a line; quotes are ordinary characters.

    Raises:
        ConfigError: a column that the table does not have.
        InputError: a row with another number of cells, or a NUL.

    Warns:
        KbertWarning: what is taken for a line of names may be the first text.
    """
    return _items(path, _tsv_rows(path), options)


def _items(path: str, rows: Iterator[_Row], options: ReaderOptions) -> Iterator[Item]:
    where = display_name(path)
    if options.uneven_rows == "join":
        rows = _joined(rows)
    rows = _rectangular(rows, where, cut=options.uneven_rows == "cut")
    first = next(rows, None)
    if first is None:
        return
    if options.header:
        names = _header(first, where)
        first = next(rows, None)
    else:
        names = [str(column) for column in range(len(first[1]))]
    columns = _Columns(names, options, where)
    document, before = -1, None
    while first is not None:
        line, cells = first
        name = columns.cell(cells, columns.document)
        if name is None or document < 0 or name != before:
            document, before = document + 1, name
        yield Item(
            source=path,
            line=line,
            document=document,
            id=columns.cell(cells, columns.id),
            text=columns.cell(cells, columns.text),
            text_pair=columns.cell(cells, columns.text_pair),
            label=columns.cell(cells, columns.label),
            endings=tuple(cells[place] for place in columns.endings) or None,
        )
        first = next(rows, None)


class _Columns:
    """Which cell of a row is what."""

    def __init__(self, names: list[str], options: ReaderOptions, where: str) -> None:
        self._names, self._where, self._header = names, where, options.header
        self.text = self._place("text_column", options.text_column or self._default())
        self.text_pair = self._place("text_pair_column", options.text_pair_column)
        self.id = self._place("id_column", options.id_column)
        self.document = self._place("document_column", options.document_column)
        self.label = self._place("label_column", options.label_column)
        self.endings = [
            self._place("ending_columns", name) for name in options.ending_columns
        ]

    @staticmethod
    def cell(cells: list[str], place: int | None) -> str | None:
        return None if place is None else cells[place]

    def _default(self) -> str:
        for name in _TEXT_NAMES:
            if name in self._names:
                return name
        if len(self._names) == 1:
            (name,) = self._names
            if self._header:
                self._warn_of_header(name)
            return name
        raise ConfigError(
            f"{len(self._names)} columns and none called {' or '.join(_TEXT_NAMES)}",
            where=self._where,
            hint=f"Choose one with --text-column: {self._listed()}.",
        )

    def _warn_of_header(self, name: str) -> None:
        shown = name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}…"
        warnings.warn(
            f"{self._where}: the first line, {shown!r}, is taken for the name of the "
            "column, not for a text. If it is a text, give --no-header (header=False "
            "in Python); if it is a name, --text-column says so.",
            KbertWarning,
            stacklevel=2,
        )

    def _place(self, option: str, name: str | None) -> int | None:
        if name is None:
            return None
        if name not in self._names:
            raise ConfigError(
                f"{option}={name!r}: no such column",
                where=self._where,
                expected=f"one of {self._listed()}",
                hint=f"Choose with --{option.replace('_', '-')}.",
            )
        return self._names.index(name)

    def _listed(self) -> str:
        names = [repr(name) for name in self._names[:20]]
        return ", ".join(names + ["…"] * (len(self._names) > 20))


def _header(row: _Row, where: str) -> list[str]:
    line, names = row
    for name, count in collections.Counter(names).items():
        if count > 1:
            raise InputError(
                f"two columns are called {name!r}",
                where=where,
                line=line,
                hint="Rename one. If this is no line of names, give --no-header "
                "(header=False in Python).",
            )
    return names


def _joined(rows: Iterator[_Row]) -> Iterator[_Row]:
    """Put rows together that line ends in their cells have broken, by their width."""
    width, begin, before, lines = None, 0, None, 0
    for line, cells in rows:
        cells = cells or [""]
        if before is None:
            begin, before, lines = line, cells, 1
        else:
            before = [*before[:-1], f"{before[-1]}\n{cells[0]}", *cells[1:]]
            lines += 1
        width = width or len(cells)
        if len(before) >= width or before == [""] or lines == _MAX_JOINED:
            yield begin, before
            before = None
    if before is not None:
        yield begin, before


def _rectangular(
    rows: Iterator[_Row], where: str, *, cut: bool = False
) -> Iterator[_Row]:
    """Check that all rows are as wide as the first, or ``cut`` those that are wider.

    An empty line is an empty cell in a table of one column; in a wider one it may only
    stand at the end.
    """
    width, blank = None, None
    for line, cells in rows:
        if any("\0" in cell for cell in cells):
            raise InputError(_NUL, where=where, line=line)
        width = width or max(1, len(cells))
        if not cells:
            cells = [""]
        if width > 1 and cells == [""]:
            blank = blank or line
            continue
        if cut:
            cells = cells[:width]
        if blank or len(cells) != width:
            raise InputError(
                f"{0 if blank else len(cells)} columns",
                where=where,
                line=blank or line,
                expected=f"{width}, as in the first line",
                hint=None if blank else "In csv, quote cells that hold a comma.",
            )
        yield line, cells


def _tsv_rows(path: str) -> Iterator[_Row]:
    for number, line in numbered_lines(path):
        yield number, line.split("\t")


def _csv_rows(path: str) -> Iterator[_Row]:
    where = display_name(path)
    lines = (line for _, line in numbered_lines(path, keep_ends=True))
    reader = csv.reader(lines, strict=True)
    while True:
        begin = reader.line_num + 1
        try:
            cells = _next_row(reader)
        except csv.Error as error:
            raise InputError(
                _reason(error),
                where=where,
                line=begin,
                hint='Quote the cell, and write a quote inside it twice: "".',
            ) from None
        if cells is None:
            return
        yield begin, cells


def _next_row(reader: Iterator[list[str]]) -> list[str] | None:
    # The limit is one for the whole process: put it back before anybody else reads.
    before = csv.field_size_limit(MAX_FIELD_CHARACTERS)
    try:
        return next(reader, None)
    finally:
        csv.field_size_limit(before)


def _reason(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "a quote that opens here is never closed"
    if "field larger than" in text:
        return f"a cell of more than {MAX_FIELD_CHARACTERS >> 20} MiB; an open quote?"
    if "new-line character" in text:
        return "a carriage return without a line feed, outside quotes"
    return _NUL if "NUL" in text else f"not CSV: {text}"
