"""Files of text, words or table rows → one stream of items, read once and in order."""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence

from ..errors import ConfigError, InputError
from .conll import read_conll
from .items import Item, ReaderOptions
from .jsonl import read_jsonl
from .lines import read_lines
from .source import (
    STDIN,
    check_name,
    check_readable,
    display_name,
    fingerprint_inputs,
    inner_ending,
)
from .table import read_csv, read_tsv

__all__ = [
    "FORMATS",
    "OBEYED",
    "Item",
    "ReaderOptions",
    "fingerprint_inputs",
    "input_format",
    "read_items",
]

_ENDINGS = {
    ".txt": "lines",
    ".conll": "conll",
    ".bio": "conll",
    ".iob2": "conll",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
}
_Reader = Callable[[str, ReaderOptions], Iterator[Item]]
_READERS: dict[str, _Reader] = {
    "lines": read_lines,
    "conll": read_conll,
    "csv": read_csv,
    "tsv": read_tsv,
    "jsonl": read_jsonl,
}
FORMATS = ("auto", *_READERS)

# Which options a format can obey; one that it cannot is an error, not ignored.
_COLUMNS = (
    "text_column",
    "text_pair_column",
    "id_column",
    "document_column",
    "label_column",
    "ending_columns",
)
_TABLE = (*_COLUMNS, "header", "uneven_rows")
OBEYED = {
    "lines": (),
    "conll": ("word_column", "tag_column"),
    "csv": _TABLE,
    "tsv": _TABLE,
    "jsonl": _COLUMNS,
}


def read_items(
    paths: Sequence[str],
    options: ReaderOptions | None = None,
    *,
    check_tags: bool = False,
) -> Iterator[Item]:
    """Read the items of all files, one after the other, in flat memory.

    Names, formats, options and readability of every path are checked at once, before
    the first item. Every file begins a new document.

    Args:
        paths: file names; ``"-"`` is standard input, once. Names ending in .gz, .xz,
            .bz2 or .zst are decompressed and go by the ending before.
        options: what the files hold; by default, what their endings say.
        check_tags: whether tags are what is read for. Then those of a JSON object
            stand under ``label_column``, or ``"tags"``, and are refused if they are
            not one string a word; otherwise such ``"tags"`` mean something else.

    Returns:
        The items, lazily. Errors in a file are raised when its line is reached.

    Raises:
        ConfigError: an unknown format, or an option that the format does not know.
        InputError: a file is missing, has a name that is not UTF-8, cannot be read,
            holds no item, or a line of it is not what its format wants; the message has
            the file and the line.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("two.conll").write_text("EU B-ORG\\nrejects O\\n\\nNice B-LOC\\n")
        >>> [item.words for item in read_items(["two.conll"])]
        [('EU', 'rejects'), ('Nice',)]
    """
    options = options or ReaderOptions()
    if isinstance(paths, str):
        raise InputError(f"paths={paths!r} is one string", expected="a list of paths")
    if not paths:
        raise InputError("no input", expected="at least one file, or - for stdin")
    if list(paths).count(STDIN) > 1:
        raise InputError("- is given more than once", hint="Standard input ends once.")
    for path in paths:
        check_name(path)
    formats = [input_format(path, options.format) for path in paths]
    for path, format in zip(paths, formats, strict=True):
        _check_options(path, format, options)
        check_readable(path)
    return _chain(list(zip(paths, formats, strict=True)), options, check_tags)


def input_format(path: str, format: str = "auto") -> str:
    """The format to read ``path`` in: as asked, or by its ending under ``auto``.

    Standard input is read as lines under ``auto``.

    Raises:
        ConfigError: no such format, or an ending that says nothing.
    """
    if format not in FORMATS:
        raise ConfigError(f"format={format!r}", expected=f"one of {', '.join(FORMATS)}")
    if format != "auto":
        return format
    if path == STDIN:
        return "lines"
    ending = inner_ending(path)
    if ending not in _ENDINGS:
        raise ConfigError(
            f"the ending {ending!r} does not say what the file holds",
            where=path,
            expected=f"one of {', '.join(_ENDINGS)}",
            hint=f"Give --format {'|'.join(_READERS)} (format=… in Python).",
        )
    return _ENDINGS[ending]


def _check_options(path: str, format: str, options: ReaderOptions) -> None:
    for name in options.given():
        if name not in OBEYED[format]:
            raise ConfigError(
                f"{name}={getattr(options, name)!r} has no meaning for {format} input",
                where=display_name(path),
                hint=f"Leave it out, or give another --format; it works with "
                f"{', '.join(known for known in OBEYED if name in OBEYED[known])}.",
            )


def _chain(
    inputs: list[tuple[str, str]], options: ReaderOptions, check_tags: bool
) -> Iterator[Item]:
    of_jsonl = functools.partial(read_jsonl, check_tags=check_tags)
    readers: dict[str, _Reader] = {**_READERS, "jsonl": of_jsonl}
    documents = 0
    for path, format in inputs:
        items = readers[format](path, options)
        first = next(items, None)
        if first is None:
            raise InputError(
                f"holds nothing to read as {format}",
                where=display_name(path),
                hint="Leave it out, or check --format.",
            )
        for item in itertools.chain([first], items):
            yield item.in_document(documents + item.document)
        documents += item.document + 1
