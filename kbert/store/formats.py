"""A feature store → one file of another format: npz, jsonl, hdf5 or parquet."""

import importlib.util
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .. import io
from ..errors import ConfigError, DependencyError, InputError, OutputError
from .chunks import FeatureChunk
from .layout import HEADER_BYTES, OFFSETS, STATUS, STATUSES, npy_header
from .reader import FeatureStore

MAX_ID_CHARACTERS = 1000
_COPY = 1 << 20
_ROW_GROUP = 16 << 20
# What a format is written by, if it is not always there.
_PACKAGES = {
    "hdf5": ("h5py", "Install it: pip install h5py."),
    "parquet": ("pyarrow", "Install the extra: pip install 'kbert[parquet]'."),
}


def export(
    store: FeatureStore,
    path: str | os.PathLike[str],
    format: str,
    *,
    overwrite: bool = False,
) -> None:
    """Write the whole store as one file, in flat memory.

    - ``"npz"``: arrays features, offsets, status and ids (``np.load`` reads it).
    - ``"jsonl"``: see ``write_jsonl``.
    - ``"hdf5"``: datasets features, offsets, status and, as JSON texts, items.
    - ``"parquet"``: a row an item: id, features (list of fixed-size lists), status
      (list of codes) and item, the record as JSON text. Needs the extra ``[parquet]``.

    Args:
        store: what to write.
        path: the file; it appears when it is whole.
        format: one of ``EXPORT_FORMATS``.
        overwrite: replace a file of that name.

    Raises:
        ConfigError: no such format.
        DependencyError: the package that writes it is not installed.
        OutputError: the file exists, or the disk is full or too small.
    """
    if format not in _WRITERS:
        raise ConfigError(
            f"format={format!r}", expected=f"one of {', '.join(EXPORT_FORMATS)}"
        )
    path = Path(path)
    check_export(path, format)
    io.refuse_existing(path, overwrite=overwrite)
    _check_space(store, path)
    with io.atomic_path(path) as temporary:
        _WRITERS[format](store, temporary)


def check_export(path: Path, format: str) -> None:
    """Refuse, before features are computed, what could not be written at the end.

    Raises:
        DependencyError: the package that writes it is not installed.
        OutputError: the path is that of a folder, or nothing can be made there.
    """
    io.check_place(path)
    if path.is_dir():
        raise OutputError("is a folder", where=path, expected="the name of a file")
    io.check_replaceable(path)
    package, hint = _PACKAGES.get(format, (None, None))
    if package and importlib.util.find_spec(package) is None:
        raise DependencyError(f"{format} needs the package {package}", hint=hint)


def write_jsonl(store: FeatureStore, file: BinaryIO) -> None:
    """Write one JSON object an item to an open binary stream.

    Each is the item's record, then ``"status"``, a list of names, and ``"vectors"``, a
    list a row. Numbers have the fewest digits that give the same float32 or float16.
    """
    for chunk in store.chunks():
        for record, features, status in _by_item(chunk):
            names = [STATUSES[code] for code in status.tolist()]
            head = json.dumps({**record, "status": names}, ensure_ascii=False)
            vectors = _json_numbers(features)
            file.write(f'{head[:-1]}, "vectors": {vectors}}}\n'.encode())


def _by_item(chunk: FeatureChunk) -> Iterator[tuple[dict[str, Any], Any, Any]]:
    ends = np.cumsum(chunk.rows_per_item)[:-1]
    parts = zip(
        chunk.records,
        np.split(chunk.features, ends),
        np.split(chunk.status, ends),
        strict=True,
    )
    yield from parts


def _json_numbers(values: np.ndarray) -> str:
    if values.ndim > 1:
        return f"[{', '.join(map(_json_numbers, values))}]"
    return f"[{', '.join(values.astype('U'))}]"


def _check_space(store: FeatureStore, path: Path) -> None:
    # HDF5 can end the process when a disk fills up, so this is looked at beforehand.
    with io.writing(path):
        free = shutil.disk_usage(path.parent).free
    needed = sum(entry["bytes"] for entry in store.manifest["files"].values())
    if needed > free:
        raise OutputError(
            f"needs about {needed / 1e6:.1f} MB",
            where=path,
            expected=f"at most the {free / 1e6:.1f} MB that are free there",
        )


def _write_jsonl(store: FeatureStore, path: Path) -> None:
    with open(path, "wb") as file:
        write_jsonl(store, file)


def _write_npz(store: FeatureStore, path: Path) -> None:
    manifest = store.manifest
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        with _entry(archive, "features") as entry:
            shape = (manifest["rows"], *store.row_shape)
            entry.write(npy_header(shape, store.dtype.str))
            for shard in manifest["shards"]:
                with open(store.path / shard["name"], "rb") as file:
                    file.seek(HEADER_BYTES)
                    shutil.copyfileobj(file, entry, _COPY)
        for name in (OFFSETS, STATUS):
            into = _entry(archive, name.removesuffix(".npy"))
            with into as entry, open(store.path / name, "rb") as file:
                shutil.copyfileobj(file, entry, _COPY)
        with _entry(archive, "ids") as entry:
            width = max(map(len, _ids(store)), default=1)
            entry.write(npy_header((len(store),), f"<U{width}"))
            for name in _ids(store):
                entry.write(np.array(name, f"<U{width}").tobytes())


def _entry(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    info = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, so that bytes do not change
    return archive.open(info, "w", force_zip64=True)


def _ids(store: FeatureStore) -> Iterator[str]:
    for index, record in enumerate(store.items()):
        name = _id(record, index)
        if len(name) > MAX_ID_CHARACTERS:
            raise InputError(
                f"the id of item {index} has {len(name)} characters",
                where=store.path,
                expected=f"at most {MAX_ID_CHARACTERS} for npz",
                hint="Export to jsonl or parquet.",
            )
        yield name


def _id(record: dict[str, Any], index: int) -> str:
    """An item's own id, or else its number."""
    found = record.get("id")
    return str(index if found is None else found)


def _write_hdf5(store: FeatureStore, path: Path) -> None:
    import h5py

    manifest = store.manifest
    with h5py.File(path, "w") as file:
        shape = (manifest["rows"], *store.row_shape)
        features = file.create_dataset("features", shape, store.dtype)
        status = file.create_dataset("status", (manifest["rows"],), "u1")
        items = file.create_dataset("items", (len(store),), h5py.string_dtype())
        file.create_dataset("offsets", data=store.offsets, dtype="<i8")
        row = item = 0
        for chunk in store.chunks():
            if rows := len(chunk.status):
                features[row : row + rows] = chunk.features
                status[row : row + rows] = chunk.status
            texts = [json.dumps(one, ensure_ascii=False) for one in chunk.records]
            items[item : item + len(texts)] = texts
            row, item = row + rows, item + len(texts)


def _write_parquet(store: FeatureStore, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    row_type = pa.from_numpy_dtype(store.dtype)
    for size in reversed(store.row_shape):
        row_type = pa.list_(row_type, size)
    columns = {
        "id": pa.string(),
        "features": pa.list_(row_type),
        "status": pa.list_(pa.uint8()),
        "item": pa.string(),
    }
    schema, first = pa.schema(columns), 0
    with pq.ParquetWriter(path, schema, write_page_checksum=True) as writer:
        for chunk in store.chunks(max_bytes=_ROW_GROUP):
            values = pa.array(chunk.features.reshape(-1))
            for size in reversed(store.row_shape):
                values = pa.FixedSizeListArray.from_arrays(values, size)
            ends = pa.array(np.r_[0, np.cumsum(chunk.rows_per_item)], pa.int32())
            names = [_id(one, first + at) for at, one in enumerate(chunk.records)]
            texts = [json.dumps(one, ensure_ascii=False) for one in chunk.records]
            arrays = [
                pa.array(names, pa.string()),
                pa.ListArray.from_arrays(ends, values),
                pa.ListArray.from_arrays(ends, pa.array(chunk.status)),
                pa.array(texts, pa.string()),
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            first += len(names)


_WRITERS: dict[str, Callable[[FeatureStore, Path], None]] = {
    "npz": _write_npz,
    "jsonl": _write_jsonl,
    "hdf5": _write_hdf5,
    "parquet": _write_parquet,
}
EXPORT_FORMATS = tuple(_WRITERS)
