"""Text and JSONL files → documents, one after the other, in flat memory."""

import dataclasses
import os
from collections.abc import Iterable, Iterator

from ..errors import ConfigError, InputError
from ..readers import ReaderOptions
from ..readers.jsonl import read_jsonl
from ..readers.source import (
    STDIN,
    check_readable,
    display_name,
    inner_ending,
    numbered_lines,
)

MAX_DOCUMENT_CHARACTERS = 64 << 20
_FORMATS = {".txt": "text", ".jsonl": "jsonl"}


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """A piece of running text; what stands in two documents is unrelated.

    Args:
        path: the file, as the user gave it; ``"-"`` is standard input.
        number: which document of its file it is, from 1.
        line: the line of the file where it begins, from 1.
        paragraphs: its text, at least one; none is empty or all blanks.
    """

    path: str
    number: int
    line: int
    paragraphs: tuple[str, ...]


def read_documents(
    paths: Iterable[str | os.PathLike[str]], *, text_column: str = "text"
) -> Iterator[Document]:
    """Read the documents of all files, in order.

    In a .txt file, and on standard input, each line is a paragraph, and lines that are
    empty or all blanks stand between documents. In a .jsonl file each line is a
    document, and line ends inside its text stand between paragraphs; a text without
    anything but blanks is no document.

    All paths are checked at once, before the first document.

    Args:
        paths: names ending in .txt or .jsonl, and then perhaps in .gz, .xz, .bz2 or
            .zst; ``"-"`` is standard input, once.
        text_column: the key of the text in a .jsonl file.

    Returns:
        The documents, lazily. Errors in a file are raised when its line is reached.

    Raises:
        InputError: no paths; a file is missing, cannot be read or unpacked, is not
            UTF-8, has a line of more than 16 MiB or a document of more than 64 Mi
            characters, or holds no document; a line of a .jsonl file has no such text.
        ConfigError: a file's ending does not say what it holds.
        DependencyError: the package that unpacks a file is not installed.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("two.txt").write_text("A dull boy.\\nHe works.\\n\\nIt snows.\\n")
        >>> [document.paragraphs for document in read_documents(["two.txt"])]
        [('A dull boy.', 'He works.'), ('It snows.',)]
    """
    if isinstance(paths, str | bytes | os.PathLike):
        raise InputError(f"paths={paths!r} is one path", expected="a list of paths")
    names = [os.fspath(path) for path in paths]
    if not names:
        raise InputError("no corpus", expected="at least one file, or - for stdin")
    if names.count(STDIN) > 1:
        raise InputError("- is given more than once", hint="Standard input ends once.")
    formats = [_format(name) for name in names]
    for name in names:
        check_readable(name)
    return _chain(list(zip(names, formats, strict=True)), text_column)


def _format(path: str) -> str:
    if path == STDIN:
        return "text"
    ending = inner_ending(path)
    if ending not in _FORMATS:
        raise ConfigError(
            f"the ending {ending!r} does not say what the file holds",
            where=path,
            expected=f"one of {', '.join(_FORMATS)}, and then perhaps .gz, .xz, .bz2 "
            "or .zst",
        )
    return _FORMATS[ending]


def _chain(inputs: list[tuple[str, str]], text_column: str) -> Iterator[Document]:
    for path, format in inputs:
        number = 0
        if format == "text":
            found = _paragraphs_of_text(path)
        else:
            found = _paragraphs_of_jsonl(path, text_column)
        for number, (line, paragraphs) in enumerate(found, 1):
            yield Document(path, number, line, tuple(paragraphs))
        if not number:
            raise InputError(
                "holds no document",
                where=display_name(path),
                hint="Leave it out, or check what it is.",
            )


def _paragraphs_of_text(path: str) -> Iterator[tuple[int, list[str]]]:
    paragraphs: list[str] = []
    begin = size = 0
    for number, line in numbered_lines(path):
        if line and not line.isspace():
            begin = begin if paragraphs else number
            size += len(line)
            if size > MAX_DOCUMENT_CHARACTERS:
                raise _too_long(path, begin)
            paragraphs.append(line)
        elif paragraphs:
            yield begin, paragraphs
            paragraphs, size = [], 0
    if paragraphs:
        yield begin, paragraphs


def _too_long(path: str, line: int) -> InputError:
    return InputError(
        f"the document that begins here has more than {MAX_DOCUMENT_CHARACTERS >> 20} "
        "Mi characters",
        where=display_name(path),
        line=line,
        expected="an empty line between documents",
    )


def _paragraphs_of_jsonl(path: str, key: str) -> Iterator[tuple[int, list[str]]]:
    for item in read_jsonl(path, ReaderOptions(text_column=key)):
        if item.text is None:
            raise InputError(
                f"{key!r} is a list",
                where=display_name(path),
                line=item.line,
                expected="a string",
            )
        lines = item.text.replace("\r\n", "\n").split("\n")
        paragraphs = [line for line in lines if line and not line.isspace()]
        if paragraphs:
            yield item.line, paragraphs
