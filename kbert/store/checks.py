"""A store's folder → nothing, or one error that names the damaged file."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import io
from ..config import read_json_object
from ..errors import InputError
from .layout import (
    DTYPES,
    FORMAT,
    HEADER_BYTES,
    ITEMS,
    OFFSETS,
    README,
    STATUS,
    STATUSES,
    manifest_digest,
    npy_bytes,
    npy_header,
)

_MAX_MANIFEST_BYTES = 256 << 20
_BLOCK = 1 << 20
_AGAIN = "Copy the store again from its source, or make it anew."


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, if it is whole and of a version that is known here.

    Raises:
        ConfigError: not JSON.
        InputError: no manifest, a damaged one, or one of another format version.
    """
    path = folder / io.MANIFEST
    if not path.is_file():
        partial = folder.with_name(f"{folder.name}.partial").is_dir()
        raise InputError(
            f"holds no {io.MANIFEST}" if folder.is_dir() else "no such folder",
            where=folder,
            expected="a feature store",
            hint="It is unfinished: run the same command with --resume."
            if partial
            else "kbert extract-features makes one.",
        )
    if path.stat().st_size > _MAX_MANIFEST_BYTES:
        raise InputError(f"{path.stat().st_size} bytes", where=path, hint=_AGAIN)
    manifest = read_json_object(path)
    if manifest.get("format") != FORMAT:
        raise InputError(
            f"format {manifest.get('format')!r}",
            where=path,
            expected=f"{FORMAT}",
            hint="Open it with the kbert that made it.",
        )
    if manifest.get("sha256") != manifest_digest(manifest):
        raise InputError("damaged: its own digest differs", where=path, hint=_AGAIN)
    return manifest


def check_cheaply(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Check what takes no reading: names, sizes, headers, sums.

    Raises:
        InputError: naming the file.
    """
    try:
        _check_fields(manifest)
        arrays = _arrays(manifest)
        names = {*arrays, ITEMS, README}
        sizes = {name: manifest["files"][name]["bytes"] for name in names}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"not a store's manifest: {error}", where=folder / io.MANIFEST, hint=_AGAIN
        ) from error
    for name, size in sorted(sizes.items()):
        path = io.child(folder, name)
        _check_size(path, size, folder)
        if name in arrays:
            _check_header(path, *arrays[name])


def check_everything(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Recompute every digest and count.

    Raises:
        InputError: naming the file.
    """
    for name, entry in sorted(manifest["files"].items()):
        io.verify_file(io.child(folder, name), entry)
    _check_offsets(folder / OFFSETS, manifest)
    _check_status(folder / STATUS, manifest)
    lines = sum(block.count(b"\n") for block in _blocks(folder / ITEMS))
    if lines != manifest["items"]:
        raise _wrong(folder / ITEMS, f"{lines} lines", f"{manifest['items']}")


def _check_fields(manifest: Mapping[str, Any]) -> None:
    shape = manifest["row_shape"]
    if manifest["dtype"] not in DTYPES or len(shape) not in (1, 2):
        raise ValueError(f"dtype {manifest['dtype']!r}, row_shape {shape!r}")
    sizes = [*shape, manifest["items"], manifest["rows"]]
    for field in ("items", "rows"):
        parts = [shard[field] for shard in manifest["shards"]]
        sizes += parts
        if sum(parts) != manifest[field]:
            raise ValueError(f"{field} of the shards add up to {sum(parts)}")
    if not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError("a size that is no whole number from 0")


def _arrays(manifest: Mapping[str, Any]) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and dtype of every array file."""
    dtype, row_shape = DTYPES[manifest["dtype"]], manifest["row_shape"]
    return {
        OFFSETS: ((manifest["items"] + 1,), "<i8"),
        STATUS: ((manifest["rows"],), "|u1"),
        **{
            shard["name"]: ((shard["rows"], *row_shape), dtype)
            for shard in manifest["shards"]
        },
    }


def _check_size(path: Path, expected: int, folder: Path) -> None:
    if path.resolve().parent != folder.resolve():
        raise _wrong(path, f"leads to {path.resolve()}", "a file in this folder")
    if not path.is_file():
        raise InputError("is missing", where=path, hint=_AGAIN)
    if path.stat().st_size != expected:
        raise _wrong(path, f"{path.stat().st_size} bytes", f"{expected} bytes")


def _check_header(path: Path, shape: tuple[int, ...], dtype: str) -> None:
    if path.stat().st_size != npy_bytes(shape, dtype):
        raise _wrong(
            path, f"{path.stat().st_size} bytes", f"{npy_bytes(shape, dtype)} bytes"
        )
    with open(path, "rb") as file:
        header = file.read(HEADER_BYTES)
    if header != npy_header(shape, dtype):
        raise _wrong(path, "another .npy header", f"{dtype} {list(shape)}")


def _check_offsets(path: Path, manifest: Mapping[str, Any]) -> None:
    item, last = 0, 0
    bounds = [(shard["items"], shard["rows"]) for shard in manifest["shards"]]
    shard_ends = dict(
        itertools.accumulate(bounds, lambda a, b: (a[0] + b[0], a[1] + b[1]))
    )
    shard_ends[0] = 0
    for block in _blocks(path, HEADER_BYTES):
        offsets = np.frombuffer(block, "<i8")
        if offsets[0] < last or np.any(np.diff(offsets) < 0):
            raise _wrong(path, "damaged: offsets fall", "offsets that only rise")
        for place in [at for at in shard_ends if item <= at < item + len(offsets)]:
            found, rows = int(offsets[place - item]), shard_ends[place]
            if found != rows:
                raise _wrong(
                    path, f"damaged: item {place} begins at row {found}", f"{rows}"
                )
        item, last = item + len(offsets), int(offsets[-1])


def _check_status(path: Path, manifest: Mapping[str, Any]) -> None:
    counts = np.zeros(256, "i8")
    for block in _blocks(path, HEADER_BYTES):
        counts += np.bincount(np.frombuffer(block, "u1"), minlength=256)
    found = dict(zip(STATUSES, counts.tolist(), strict=False))
    if counts[len(STATUSES) :].any() or found != manifest["status"]:
        raise _wrong(path, f"damaged: counts {found}", f"{manifest['status']}")


def _blocks(path: Path, start: int = 0) -> Iterator[bytes]:
    with open(path, "rb") as file:
        file.seek(start)
        while block := file.read(_BLOCK):
            yield block


def _wrong(path: Path, found: str, expected: str) -> InputError:
    return InputError(found, where=path, expected=f"{expected}", hint=_AGAIN)
