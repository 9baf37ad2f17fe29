"""A file that is one JSON value → that value, or an error that says where it is not."""

import json
from typing import Any

from ..errors import InputError
from .jsonl import DECODER
from .source import check_readable, display_name, whole_text


def read_json(path: str) -> Any:
    """The value that a file holds.

    NaN, Infinity and a key twice in one object are refused.

    Args:
        path: file name, or ``"-"`` for standard input. Names ending in .gz, .xz, .bz2
            or .zst are decompressed.

    Raises:
        InputError: the file cannot be read, is not UTF-8, or not JSON.
        DependencyError: the package that unpacks it is not installed.
    """
    where = display_name(path)
    check_readable(path)
    try:
        return DECODER.decode(whole_text(path))
    except json.JSONDecodeError as error:
        raise InputError(
            f"not JSON at column {error.colno}: {error.msg}",
            where=where,
            line=error.lineno,
        ) from None
    except RecursionError:
        what = "nested too deeply"
    except InputError:
        raise
    except ValueError as error:
        what = f"not accepted: {error}"
    raise InputError(what, where=where, expected="JSON")
