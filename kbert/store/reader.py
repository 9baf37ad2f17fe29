"""A store's folder → vectors by item, as one array, in chunks, or for tf.data."""

import bisect
import functools
import itertools
import json
import operator
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import InputError
from .checks import check_cheaply, check_everything, read_manifest
from .chunks import FeatureChunk
from .datasets import tf_dataset
from .layout import DTYPES, HEADER_BYTES, ITEMS, OFFSETS, STATUS

if TYPE_CHECKING:
    import tensorflow as tf


class FeatureStore:
    """The vectors that ``kbert extract-features`` wrote; open one with ``open``.

    ``len(store)`` counts items; ``store[i]`` has the rows of item ``i``, float
    ``[rows_i, dim]`` or ``[rows_i, layers, dim]``, read-only and mapped from the file.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path, self.manifest = path, manifest
        self.row_shape = tuple(manifest["row_shape"])
        self.dtype = np.dtype(DTYPES[manifest["dtype"]])
        self._shards = manifest["shards"]
        counts = [(shard["items"], shard["rows"]) for shard in self._shards]
        starts = list(itertools.accumulate(counts, _add, initial=(0, 0)))
        self._first_items = [items for items, _ in starts]
        self._first_rows = [rows for _, rows in starts]
        self._maps: dict[int, np.ndarray] = {}

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "FeatureStore":
        """Open a store after a check that takes no time: ``verify`` reads every byte.

        Raises:
            ConfigError: the manifest is not JSON.
            InputError: no store, another version of it, or a file is missing or of
                another size or shape than the manifest says.
        """
        manifest = read_manifest(Path(path))
        check_cheaply(Path(path), manifest)
        return cls(Path(path), manifest)

    def __len__(self) -> int:
        return self.manifest["items"]

    def __getitem__(self, index: int) -> np.ndarray:
        place = operator.index(index)
        place += len(self) if place < 0 else 0
        if not 0 <= place < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        shard = bisect.bisect_right(self._first_items, place) - 1
        start, stop = (
            self.offsets[place : place + 2] - self._first_rows[shard]
        ).tolist()
        if not 0 <= start <= stop <= self._shards[shard]["rows"]:
            raise self._damaged(place)
        return np.asarray(self._mapped(shard)[start:stop])

    @functools.cached_property
    def offsets(self) -> np.ndarray:
        """int64 ``[items + 1]``: item ``i`` owns rows ``offsets[i]:offsets[i + 1]``."""
        return _map(self.path / OFFSETS, "<i8", (len(self) + 1,))

    @functools.cached_property
    def status(self) -> np.ndarray:
        """uint8 ``[rows]``: 0 ok, 1 unknown word, 2 empty, 3 truncated."""
        return _map(self.path / STATUS, "u1", (self.manifest["rows"],))

    def items(self) -> Iterator[dict[str, Any]]:
        """The records of ``items.jsonl``, one at a time."""
        path = self.path / ITEMS
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield json.loads(line.decode("utf-8"))
                except (ValueError, RecursionError) as error:
                    raise InputError("not JSON", where=path, line=number) from error

    def to_numpy(self, *, mmap: bool = True) -> np.ndarray:
        """All rows, float ``[rows, dim]`` or ``[rows, layers, dim]``.

        Args:
            mmap: map the file instead of reading it. That takes a single shard; the
                rows of several are copied into memory in any case.
        """
        if mmap and len(self._shards) == 1:
            return self._mapped(0)
        features = np.empty((self.manifest["rows"], *self.row_shape), self.dtype)
        for shard, (start, stop) in enumerate(itertools.pairwise(self._first_rows)):
            features[start:stop] = self._mapped(shard)
        return features

    def chunks(self, *, max_bytes: int = 4 << 20) -> Iterator[FeatureChunk]:
        """Everything, in order, in pieces of a few megabytes: flat memory.

        Args:
            max_bytes: of features in a chunk; an item of more is a chunk by itself.
        """
        records = self.items()
        width = self.dtype.itemsize * int(np.prod(self.row_shape))
        max_rows = max(1, max_bytes // width)
        for shard, (first, last) in enumerate(itertools.pairwise(self._first_items)):
            # Reading, unlike a memory map, leaves no pages behind in this process.
            with open(self.path / self._shards[shard]["name"], "rb") as file:
                file.seek(HEADER_BYTES)
                while first < last:
                    ends = self.offsets[first : min(last, first + 4096) + 1]
                    fit = np.searchsorted(ends[1:], ends[0] + max_rows, side="right")
                    stop = first + max(1, int(fit))
                    yield self._chunk(file, first, stop, records)
                    first = stop

    def as_tf_dataset(
        self,
        batch_size: int | None = None,
        *,
        layout: Literal["ragged", "padded", "flat"] = "ragged",
        shuffle: bool = False,
        seed: int = 0,
    ) -> "tf.data.Dataset":
        """The vectors of one item after the other, for training.

        Args:
            batch_size: items in a batch; ``None`` gives single items.
            layout: ``"ragged"`` batches are ragged float ``[B, None, dim]``;
                ``"padded"`` ones a pair of float ``[B, T, dim]``, zeros at the end, and
                bool padding_mask ``[B, T]``; ``"flat"`` is for stores with one row an
                item and gives float ``[B, dim]``.
            shuffle: put the items in an order that depends on ``seed`` alone, the same
                in every pass.
            seed: of that order.

        Raises:
            ConfigError: an unknown layout, a batch size below 1, or ``"flat"`` for
                items of several rows.
        """
        return tf_dataset(
            self, batch_size, layout=layout, seed=seed if shuffle else None
        )

    def verify(self) -> None:
        """Read every byte: digests, offsets, status codes, numbers of rows and items.

        Raises:
            InputError: names the first file that is damaged, and how.
        """
        check_cheaply(self.path, self.manifest)
        check_everything(self.path, self.manifest)

    def _mapped(self, shard: int) -> np.ndarray:
        if shard not in self._maps:
            entry = self._shards[shard]
            shape = (entry["rows"], *self.row_shape)
            self._maps[shard] = _map(self.path / entry["name"], self.dtype.str, shape)
        return self._maps[shard]

    def _chunk(
        self, file: Any, first: int, stop: int, records: Iterator[dict[str, Any]]
    ) -> FeatureChunk:
        ends = np.array(self.offsets[first : stop + 1])
        rows = int(ends[-1] - ends[0])
        count = rows * int(np.prod(self.row_shape))
        if np.any(np.diff(ends) < 0):
            raise self._damaged(first)
        features = np.fromfile(file, self.dtype, count)
        taken = list(itertools.islice(records, stop - first))
        if features.size != count or len(taken) != stop - first:
            raise self._damaged(first)
        return FeatureChunk(
            features=features.reshape(rows, *self.row_shape),
            rows_per_item=np.diff(ends),
            status=np.array(self.status[ends[0] : ends[-1]]),
            records=taken,
        )

    def _damaged(self, item: int) -> InputError:
        return InputError(
            f"damaged: item {item} has rows that are not there",
            where=self.path,
            hint="Make the store again; store.verify() names the damaged file.",
        )


def _add(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    return left[0] + right[0], left[1] + right[1]


def _map(path: Path, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    if 0 in shape:  # an empty file part cannot be mapped
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", offset=HEADER_BYTES, shape=shape)
