"""A safetensors file, or shards with an index → tensors by name; and one file back.

The header is checked here, against the file's size, before the library opens the file:
its own messages name neither the file nor the tensor.
"""

import errno
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  safetensors needs it for bfloat16 and does not ask for it
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .. import io
from ..config import read_json_object
from ..errors import CheckpointError
from .tensors import TensorInfo, TensorSource, refuse

_MAX_HEADER_BYTES = 100_000_000  # the limit of the format's specification
_DTYPES = {
    "F64": ("float64", 8),
    "F32": ("float32", 4),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "I64": ("int64", 8),
    "I32": ("int32", 4),
    "I16": ("int16", 2),
    "I8": ("int8", 1),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
}
_AGAIN = "Copy it again from its source."


def open_safetensors(path: Path) -> TensorSource:
    """Read the header of one file.

    Raises:
        CheckpointError: missing, cut off, or not a safetensors file.
    """
    entries = _read_header(path)

    def read(name: str) -> np.ndarray:
        try:
            with safe_open(path, framework="numpy") as file:
                return file.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{name}: {error}", where=path, hint=_AGAIN
            ) from error

    return TensorSource(path, entries, read)


def open_sharded(index: Path) -> TensorSource:
    """Read an index, ``{"weight_map": {tensor: file}}``, and the headers it names.

    Raises:
        CheckpointError: a shard is missing or damaged, or does not hold what the index
            says; everything is listed.
        InputError: the index names a file outside its folder.
    """
    places = read_json_object(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise CheckpointError(
            "no weight_map", where=index, expected="an object of tensor and file names"
        )
    paths = {name: io.child(index.parent, file) for name, file in places.items()}
    files = sorted(set(paths.values()))
    missing = [path.name for path in files if not path.is_file()]
    refuse([f"its shard {name} is missing" for name in missing], index, hint=_AGAIN)
    shards = {path: open_safetensors(path) for path in files}
    problems = [
        f"{name} is not in {path.name}"
        for name, path in paths.items()
        if name not in shards[path].entries
    ]
    problems += [
        f"{name}, in {path.name}, is not in the index"
        for path in files
        for name in shards[path].entries
        if paths.get(name) != path
    ]
    refuse(problems, index)
    entries = {name: shards[path].entries[name] for name, path in paths.items()}
    return TensorSource(index, entries, lambda name: shards[paths[name]].read(name))


def write_safetensors(
    path: Path, tensors: Mapping[str, np.ndarray], *, metadata: Mapping[str, str]
) -> None:
    """Write one file; the caller has a temporary folder around it.

    Raises:
        OSError: the disk says no.
    """
    try:
        save_file(dict(tensors), path, metadata=dict(metadata))
        path.chmod(0o644)  # the library makes it readable to its owner alone
    except SafetensorError as error:
        # The library tells an operating-system error only in its text.
        code = re.search(r"os error (\d+)", str(error))
        number = int(code[1]) if code else errno.EIO
        raise OSError(number, os.strerror(number)) from error


def _read_header(path: Path) -> dict[str, TensorInfo]:
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(_MAX_HEADER_BYTES, size - 8):
                raise _damaged(path, f"a header of {length} bytes in {size}")
            header = file.read(length)
    except OSError as error:
        raise CheckpointError(
            f"cannot be read: {error.strerror}", where=path
        ) from error
    try:
        fields = json.loads(header, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"its header is not JSON ({error})") from error
    if not isinstance(fields, dict):
        raise _damaged(path, "its header is not an object")
    fields.pop("__metadata__", None)
    return _checked_entries(path, fields, size - 8 - length)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name stands twice")
    return fields


def _checked_entries(
    path: Path, fields: dict[str, Any], size: int
) -> dict[str, TensorInfo]:
    """The entries in the order of their bytes, which have to fill the file exactly."""
    entries, spans = {}, []
    for name, field in fields.items():
        try:
            dtype, width = _DTYPES[field["dtype"]]
            shape = tuple(field["shape"])
            begin, end = field["data_offsets"]
            numbers = (*shape, begin, end)
            whole = all(type(number) is int and number >= 0 for number in numbers)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, f"the header entry of {name} is {field!r}") from error
        if not whole or end - begin != math.prod(shape) * width:
            raise _damaged(path, f"the header entry of {name} is {field!r}")
        entries[name] = TensorInfo(dtype, shape)
        spans.append((begin, end, name))
    position = 0
    for begin, end, name in sorted(spans):
        if begin != position:
            raise _damaged(
                path, f"{name} begins at byte {begin}, expected byte {position}"
            )
        position = end
    if position != size:
        raise _damaged(path, f"{size} bytes of tensors, expected {position}")
    return entries


def _damaged(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"not a whole safetensors file: {what}", where=path, hint=_AGAIN
    )
