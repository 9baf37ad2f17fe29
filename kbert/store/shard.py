"""Chunks → the files of one shard, streamed under temporary names, then committed."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .. import io
from .chunks import FeatureChunk
from .layout import DTYPES, npy_header, shard_name

_BUFFER = 1 << 20


def part_names(index: int) -> tuple[str, str, str]:
    """Names of what belongs to a shard besides its features: status, lengths, items."""
    return (
        f"status-{index:05d}.bin",
        f"lengths-{index:05d}.bin",
        f"items-{index:05d}.jsonl",
    )


class OpenShard:
    """A shard that is being written; nothing has its real name before ``commit``.

    Args:
        index: number of the shard, from 0.
        folder: where status, row counts and items go.
        store: where the features go.
        row_shape: ``(dim,)`` or ``(layers, dim)``.
        dtype: ``"float32"`` or ``"float16"``.
    """

    def __init__(
        self,
        index: int,
        *,
        folder: Path,
        store: Path,
        row_shape: tuple[int, ...],
        dtype: str,
    ) -> None:
        self.items = self.rows = self.bytes = 0
        self._row_shape, self._dtype = row_shape, DTYPES[dtype]
        names = part_names(index)
        self._paths = [store / shard_name(index), *(folder / name for name in names)]
        self._files: list[BinaryIO] = []
        with self._discarding():
            for path in self._paths:
                with io.writing(path):
                    file = open(_temporary(path), "wb", buffering=_BUFFER)  # noqa: SIM115
                    self._files.append(file)
            self._write(0, npy_header((0, *row_shape), self._dtype))

    def append(self, chunk: FeatureChunk) -> None:
        """Add a chunk; after an error the shard is gone."""
        features = np.ascontiguousarray(chunk.features, self._dtype)
        lines = [
            json.dumps(one, ensure_ascii=False, allow_nan=False)
            for one in chunk.records
        ]
        with self._discarding():
            self._write(0, features.tobytes() if not features.size else features.data)
            self._write(1, np.ascontiguousarray(chunk.status, "u1").tobytes())
            self._write(2, np.ascontiguousarray(chunk.rows_per_item, "<i8").tobytes())
            self._write(3, "".join(f"{line}\n" for line in lines).encode("utf-8"))
        self.items += len(chunk.records)
        self.rows += len(chunk.status)
        self.bytes += features.nbytes

    def commit(self) -> dict[str, Any]:
        """Bring all files safely under their names; what the journal says of them."""
        with self._discarding():
            for path, file in zip(self._paths, self._files, strict=True):
                with io.writing(path):
                    if file is self._files[0]:
                        file.seek(0)
                        file.write(
                            npy_header((self.rows, *self._row_shape), self._dtype)
                        )
                    file.flush()
                    os.fsync(file.fileno())
            entries = {}
            for path, file in zip(self._paths, self._files, strict=True):
                with io.writing(path):
                    file.close()
                    entries[path.name] = io.file_entry(_temporary(path))
                    os.replace(_temporary(path), path)
            for folder in {path.parent for path in self._paths}:
                io.sync(folder)
        return {"items": self.items, "rows": self.rows, "files": entries}

    def discard(self) -> None:
        """Close and delete the temporary files."""
        for file in self._files:
            # A full disk makes closing fail too, because buffers are flushed then.
            with contextlib.suppress(OSError):
                file.close()
        for path in self._paths:
            io.remove(_temporary(path))

    def _write(self, which: int, content: bytes | memoryview) -> None:
        with io.writing(self._paths[which]):
            self._files[which].write(content)

    @contextlib.contextmanager
    def _discarding(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.discard()
            raise


def _temporary(path: Path) -> Path:
    return path.with_name(f"{io.TEMPORARY}{path.name}")
