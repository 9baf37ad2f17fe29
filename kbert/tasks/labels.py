"""The label cells of examples → the names of classes, checked and in order."""

import re
from collections.abc import Iterable

from ..errors import InputError
from .tables import TextExample


def checked_label(example: TextExample) -> str:
    """The one label that an example has, without the blanks around it.

    Raises:
        InputError: it has none, several, or one that is no line of text.
    """
    label = example.label
    if isinstance(label, tuple):
        raise InputError(
            f"a list of {len(label)} labels",
            where=example.source,
            line=example.line,
            expected="one label",
            hint="Give --multi-label (multi_label=True) if a text may have several.",
        )
    return _one_line(label, example)


def split_label(example: TextExample, *, separator: str) -> tuple[str, ...]:
    """All labels that an example has, in their order, without the blanks around them.

    A JSON list has them already.

    Raises:
        InputError: one of them is empty, no line of text, or stands twice.
    """
    label = example.label
    if label == "":
        return ()
    parts = label if isinstance(label, tuple) else label.split(separator)
    names = tuple(_one_line(part, example) for part in parts)
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InputError(
                f"label {name!r} stands twice", where=example.source, line=example.line
            )
    return names


def ordered_labels(names: Iterable[str]) -> tuple[str, ...]:
    """The names in order: by number if all are whole numbers, else by name.

    Example:
        >>> ordered_labels({"10", "9"}), ordered_labels({"b", "10", "9"})
        (('9', '10'), ('10', '9', 'b'))
    """
    names = sorted(names)
    if all(re.fullmatch(r"[+-]?[0-9]{1,18}", name) for name in names):
        names.sort(key=int)
    return tuple(names)


def _one_line(name: str, example: TextExample) -> str:
    if not name.strip() or re.search(r"[\t\r\n]", name):
        raise InputError(
            f"label {name!r}",
            where=example.source,
            line=example.line,
            expected="a name without tabs and line ends",
        )
    return name.strip()
