"""The committed shards of a working folder → the files of a whole store."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import io
from .layout import (
    FORMAT,
    ITEMS,
    OFFSETS,
    README,
    README_TEXT,
    STATUS,
    STATUSES,
    npy_header,
    seal,
    shard_name,
)
from .shard import part_names
from .working import WorkingFolder

_BLOCK = 1 << 20


def assemble(
    working: WorkingFolder,
    entries: list[dict[str, Any]],
    *,
    identity: dict[str, Any],
    summary: dict[str, Any],
) -> None:
    """Write offsets, status, items and manifest beside the shards, in flat memory.

    The shards are renamed, not copied. Killed anywhere, ``working.recover`` undoes it.

    Args:
        working: the folder, whose ``store`` gets all files.
        entries: its journal.
        identity: settings and shape, as the manifest has them.
        summary: what else the caller wants in the manifest.
    """
    store = working.store
    items = sum(entry["items"] for entry in entries)
    rows = sum(entry["rows"] for entry in entries)
    parts = [_part_paths(working.path, index) for index in range(len(entries))]
    counts = _write_status(store / STATUS, [part[0] for part in parts], rows)
    _write_offsets(store / OFFSETS, [part[1] for part in parts], items)
    _write_items(store / ITEMS, [part[2] for part in parts])
    io.write_text(store / README, README_TEXT)
    files = {
        name: io.file_entry(store / name) for name in (OFFSETS, STATUS, ITEMS, README)
    }
    shards = []
    for index, entry in enumerate(entries):
        name = shard_name(index, len(entries))
        with io.writing(store / name):
            os.replace(store / shard_name(index), store / name)
        files[name] = entry["files"][shard_name(index)]
        shards.append({"name": name, "items": entry["items"], "rows": entry["rows"]})
    manifest = {
        "format": FORMAT,
        **identity,
        "dim": identity["row_shape"][-1],
        "items": items,
        "rows": rows,
        "status": counts,
        "summary": summary,
        "shards": shards,
        "files": files,
    }
    io.write_json(store / io.MANIFEST, seal(manifest))


def publish(working: WorkingFolder, *, overwrite: bool) -> None:
    """Give the assembled store its name, by one rename, and clean up.

    Raises:
        OutputError: something stands there, and ``overwrite`` is false.
    """
    output = working.output
    io.refuse_existing(output, overwrite=overwrite)
    with io.writing(output):
        if output.exists():
            io.remove(working.replaced)
            os.replace(output, working.replaced)
        os.replace(working.store, output)
        io.sync(output.parent)
    working.clear()


def _part_paths(folder: Path, index: int) -> list[Path]:
    return [folder / name for name in part_names(index)]


def _blocks(paths: list[Path]) -> Iterator[bytes]:
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                yield block


def _write_status(path: Path, parts: list[Path], rows: int) -> dict[str, int]:
    counts = np.zeros(len(STATUSES), "i8")
    with io.atomic_file(path) as file:
        file.write(npy_header((rows,), "|u1"))
        for block in _blocks(parts):
            file.write(block)
            counts += np.bincount(np.frombuffer(block, "u1"), minlength=len(STATUSES))
    return dict(zip(STATUSES, counts.tolist(), strict=True))


def _write_offsets(path: Path, parts: list[Path], items: int) -> None:
    with io.atomic_file(path) as file:
        file.write(npy_header((items + 1,), "<i8") + bytes(8))
        total = np.int64(0)
        for block in _blocks(parts):
            ends = total + np.cumsum(np.frombuffer(block, "<i8"))
            file.write(ends.astype("<i8").tobytes())
            total = ends[-1]


def _write_items(path: Path, parts: list[Path]) -> None:
    with io.atomic_file(path) as file:
        for block in _blocks(parts):
            file.write(block)
