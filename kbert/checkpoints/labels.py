"""A ``labels.txt``, the name of one class a line, ↔ the names in order."""

from pathlib import Path

from .. import io
from ..errors import InputError


def read_labels(path: Path) -> tuple[str, ...]:
    """The names in a file.

    Raises:
        InputError: it cannot be read, a line is empty, or a name stands twice.
    """
    try:
        content = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=path) from error
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8", where=path) from error
    labels = tuple(content.removesuffix("\n").split("\n"))
    _check(labels, where=path)
    return labels


def write_labels(path: Path, labels: tuple[str, ...]) -> None:
    """Write the names as ``read_labels`` reads them.

    Raises:
        InputError: a name is empty, has more than one line, or stands twice.
    """
    _check(labels)
    io.write_text(path, "".join(f"{name}\n" for name in labels))


def _check(labels: tuple[str, ...], *, where: Path | None = None) -> None:
    for line, name in enumerate(labels, 1):
        if not name or "\n" in name:
            raise InputError(
                f"label {name!r}", where=where, line=line, expected="one line of text"
            )
        if labels.index(name) != line - 1:
            raise InputError(f"label {name!r} stands twice", where=where, line=line)
