"""A path or standard input → numbered lines of text, strict UTF-8, bounded memory."""

import bz2
import contextlib
import gzip
import hashlib
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, BinaryIO

from ..errors import InputError
from .zstd import open_zstd

STDIN = "-"
MAX_LINE_BYTES = 16 << 20
MAX_FILE_BYTES = 1 << 30  # of a file that is read whole
_COMPRESSED = {
    ".gz": gzip.open,
    ".xz": lzma.open,
    ".bz2": bz2.open,
    ".zst": open_zstd,
}
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def display_name(path: str) -> str:
    """How errors call an input."""
    return "standard input" if path == STDIN else path


def inner_ending(path: str) -> str:
    """A file's ending in lower case, without that of its compression."""
    name = PurePath(path)
    if name.suffix.lower() in _COMPRESSED:
        name = name.with_suffix("")
    return name.suffix.lower()


def check_name(path: str) -> None:
    """Raise ``InputError`` if the name of a file is not UTF-8: outputs have to name it.

    The folders that it stands in may be called anything.
    """
    try:
        PurePath(path).name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            "the name is not UTF-8",
            where=path.encode("utf-8", "backslashreplace").decode("utf-8"),
            hint="Rename the file: outputs name what they were made from.",
        ) from error


def check_readable(path: str) -> None:
    """Raise ``InputError`` unless ``path`` is a file that can be opened."""
    if path == STDIN:
        return
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if stat.S_ISDIR(mode):
        raise InputError("is a folder", where=path, expected="a file")
    # Opening a pipe here would wait for its writer, or take it from the reader below.
    if stat.S_ISREG(mode) and not os.access(path, os.R_OK):
        raise InputError("cannot be read: Permission denied", where=path)


def check_reopenable(path: str) -> None:
    """Raise ``InputError`` unless ``path`` is a file that can be read more than once.

    Standard input and pipes lose what was read of them.
    """
    check_readable(path)
    if path == STDIN or not os.path.isfile(path):
        raise InputError(
            "can be read only once",
            where=display_name(path),
            expected="a file",
            hint="Write it to one.",
        )


def numbered_lines(path: str, *, keep_ends: bool = False) -> Iterator[tuple[int, str]]:
    r"""The lines of a file and their numbers, from 1.

    A line ends at ``\n`` or ``\r\n`` and nowhere else. A byte order mark at the start
    is dropped; the last line needs no end.

    Args:
        path: file name, or ``"-"``.
        keep_ends: leave the line ends on.

    Raises:
        InputError: the file cannot be read or unpacked, is not UTF-8, has a line of
            more than 16 MiB, or changes while it is read.
        DependencyError: the package that unpacks it is not installed.
    """
    where = display_name(path)
    offset = number = 0
    try:
        with _open(path) as file:
            before = _state(path)
            for number, raw in enumerate(_bounded_lines(file, where), 1):
                if number == 1 and raw.startswith(_BOM):
                    raw, offset = raw[len(_BOM) :], len(_BOM)
                line = _decode(raw, where, number, offset)
                offset += len(raw)
                yield number, line if keep_ends else _without_end(line)
            if _state(path) != before:
                raise InputError(
                    "changed while it was being read",
                    where=where,
                    hint="Run again when nothing writes to it.",
                )
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise _unreadable(where, error, line=number + 1 if number else None) from error


def whole_text(path: str) -> str:
    """All of a file at once, for formats that are not made of lines.

    A byte order mark at the start is dropped.

    Args:
        path: file name, or ``"-"``.

    Raises:
        InputError: the file cannot be read or unpacked, is not UTF-8, or is longer than
            1 GiB.
        DependencyError: the package that unpacks it is not installed.
    """
    where = display_name(path)
    try:
        with _open(path) as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise _unreadable(where, error) from error
    if len(raw) > MAX_FILE_BYTES:
        raise InputError(f"longer than {MAX_FILE_BYTES >> 30} GiB", where=where)
    skipped = len(_BOM) if raw.startswith(_BOM) else 0
    return _decode(raw[skipped:], where, 1, skipped)


def fingerprint_inputs(paths: list[str]) -> list[dict[str, Any]]:
    """What a manifest says of the inputs: base name, bytes and SHA-256 of each.

    Standard input and pipes can be read only once, so theirs are ``None``.

    Raises:
        InputError: a file cannot be read, or its name is not UTF-8.
    """
    for path in paths:
        check_name(path)
    return [_fingerprint(path) for path in paths]


def _fingerprint(path: str) -> dict[str, Any]:
    if path == STDIN or not os.path.isfile(path):
        check_readable(path)
        return {"name": PurePath(path).name, "bytes": None, "sha256": None}
    sha, size = hashlib.sha256(), 0
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                sha.update(block)
                size += len(block)
    except OSError as error:
        raise _unreadable(path, error) from error
    return {"name": PurePath(path).name, "bytes": size, "sha256": sha.hexdigest()}


def _open(path: str) -> contextlib.AbstractContextManager[BinaryIO]:
    if path == STDIN:
        if sys.stdin is None:
            raise InputError("is closed", where=display_name(path))
        return contextlib.nullcontext(sys.stdin.buffer)  # not ours to close
    return _COMPRESSED.get(PurePath(path).suffix.lower(), open)(path, "rb")


def _state(path: str) -> tuple[int, int] | None:
    if path == STDIN or not os.path.isfile(path):
        return None
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def _bounded_lines(file: BinaryIO, where: str) -> Iterator[bytes]:
    number = 0
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            raise InputError(
                f"longer than {MAX_LINE_BYTES >> 20} MiB",
                where=where,
                line=number,
                hint="Is it text? Break it into lines.",
            )
        yield raw


def _decode(raw: bytes, where: str, number: int, offset: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        source = "UTF-16" if number == 1 and raw.startswith(_UTF_16) else "LATIN1"
        raise InputError(
            f"byte 0x{raw[error.start]:02x} at offset {offset + error.start} of the "
            "file is not UTF-8",
            where=where,
            line=number + raw.count(b"\n", 0, error.start),
            hint=f"Convert it first, for example: iconv -f {source} -t UTF-8.",
        ) from None


def _without_end(line: str) -> str:
    if not line.endswith("\n"):
        return line
    return line[:-2] if line.endswith("\r\n") else line[:-1]


def _unreadable(where: str, error: Exception, line: int | None = None) -> InputError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return InputError(f"cannot be read: {reason}", where=where, line=line)
