"""Plain text → one item a line; an empty line ends a document."""

from collections.abc import Iterator

from .items import Item, ReaderOptions
from .source import numbered_lines


def read_lines(path: str, options: ReaderOptions) -> Iterator[Item]:
    """One item a line, empty lines too, so that rows can be matched by line number.

    An empty line (or one of ASCII blanks) belongs to the document that it ends.
    """
    document, ended = 0, False
    for number, line in numbered_lines(path):
        blank = not line.strip(" \t")
        if ended and not blank:
            document += 1
        ended = blank
        yield Item(source=path, line=number, document=document, text=line)
