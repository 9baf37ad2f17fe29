"""Chunks of features → a store that appears whole, and survives being killed."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from .. import __version__, io
from ..errors import ConfigError, OutputError
from ..fingerprints import check_same
from .assembly import assemble, publish
from .chunks import FeatureChunk
from .layout import DTYPES
from .reader import FeatureStore
from .shard import OpenShard
from .working import WorkingFolder

DEFAULT_SHARD_BYTES = 64 << 20


class StoreWriter:
    """Writes a feature store, shard by shard; a context manager.

    Until ``finish`` everything lies in ``OUT.partial`` beside the output, which is
    locked for this process. A shard ends with the first chunk that brings it to
    ``shard_bytes``. Whatever is in a committed shard survives a kill at any moment;
    the open shard is lost and done again. An error before the first commit leaves
    nothing behind.

    **Contract.** After a resume the caller skips ``items_done`` items, which is always
    the end of a chunk, and goes on. The bytes are those of an uninterrupted run if its
    chunks do not depend on where it began: a fixed number of items each, say.

    Args:
        path: the output folder; of a link, the folder that it names.
        settings: what made the features, as JSON takes it; no paths, no times. A
            resumed run must have the same.
        row_shape: ``(dim,)``, or ``(layers, dim)``.
        dtype: ``"float32"`` or ``"float16"``.
        shard_bytes: when a shard is full, in bytes of features.
        resume: go on with an unfinished store; begin one if there is none.
        overwrite: replace what stands at ``path``, once the new store is whole, and
            drop an unfinished one.

    Raises:
        ConfigError: the unfinished (or whole) store was made with other settings.
        OutputError: the output exists, is in use, or cannot be written; it is the
            current folder or above it, or a mount point.

    Example:
        >>> import numpy as np
        >>> rows = np.ones((3, 4), "float32")
        >>> chunk = FeatureChunk(rows, np.array([2, 1]), np.zeros(3, "u1"), [{}, {}])
        >>> with StoreWriter("out", settings={}, row_shape=(4,)) as out:
        ...     out.append(chunk)
        ...     out.finish()
        >>> FeatureStore.open("out")[0].shape
        (2, 4)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        settings: Mapping[str, Any],
        row_shape: tuple[int, ...],
        dtype: str = "float32",
        shard_bytes: int = DEFAULT_SHARD_BYTES,
        resume: bool = False,
        overwrite: bool = False,
    ) -> None:
        if dtype not in DTYPES:
            raise ConfigError(f"dtype={dtype!r}", expected=" or ".join(DTYPES))
        if shard_bytes < 1:
            raise ConfigError(f"shard_bytes={shard_bytes}", expected="1 or more")
        io.check_resume(resume=resume, overwrite=overwrite)
        io.check_replaceable(path)
        self.path = Path(path)
        self.items_done = self.rows_done = 0
        self.complete = False  # the store is whole: nothing is left to do
        self._identity = {
            "kbert_version": __version__,
            "dtype": dtype,
            "row_shape": list(row_shape),
            "shard_bytes": shard_bytes,
            "settings": json.loads(json.dumps(settings, allow_nan=False)),
        }
        self._resume, self._overwrite = resume, overwrite
        self._working = WorkingFolder(Path(os.path.realpath(path)))
        self._entries: list[dict[str, Any]] = []
        self._shard: OpenShard | None = None
        self._stack = contextlib.ExitStack()
        self._usable = False

    def __enter__(self) -> "StoreWriter":
        with contextlib.ExitStack() as stack:
            with io.writing(self._working.path):
                self._working.path.mkdir(parents=True, exist_ok=True)
            stack.callback(self._working.remove_if_empty)
            stack.enter_context(io.lock(self._working.path))
            self._begin()
            self._stack = stack.pop_all()
        self._usable = not self.complete
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._usable = False
        with self._stack:
            if self._shard:
                self._shard.discard()
                self._shard = None
            if not self._entries:  # nothing to go on with
                self._working.clear()

    def append(self, chunk: FeatureChunk) -> None:
        """Add the next items.

        Raises:
            InputError: the chunk does not fit, or holds NaN or infinity.
            OutputError: the disk says no; every committed shard is kept.
        """
        row_shape = tuple(self._identity["row_shape"])
        chunk.check(row_shape, self._identity["dtype"])
        with self._once_broken_always_broken():
            if self._shard is None:
                self._shard = self._new_shard(row_shape)
            self._shard.append(chunk)
            if self._shard.bytes >= self._identity["shard_bytes"]:
                self._commit()

    def finish(self, summary: Mapping[str, Any] | None = None) -> None:
        """Put everything under its final name; the output appears whole.

        Args:
            summary: what else the manifest should say, as JSON takes it.

        Raises:
            OutputError: the disk says no; resuming goes on from here.
        """
        if self.complete:
            return
        with self._once_broken_always_broken():
            if self._shard is None and not self._entries:
                self._shard = self._new_shard(tuple(self._identity["row_shape"]))
            if self._shard is not None:
                self._commit()
            assemble(
                self._working,
                self._entries,
                identity=self._identity,
                summary=dict(summary or {}),
            )
            publish(self._working, overwrite=self._overwrite)
        self.complete, self._usable = True, False

    def _begin(self) -> None:
        working = self._working
        state = working.state()
        if state is not None and not working.store.is_dir():
            working.clear()
            state = None
        if state is not None and self._resume:
            self._check_same(state, working.path)
            self._overwrite = self._overwrite or bool(state.get("overwrite"))
            self._entries = working.recover()
            self._count(self._entries)
        elif state is None and self._resume and (working.output / io.MANIFEST).exists():
            manifest = FeatureStore.open(working.output).manifest
            self._check_same(manifest, working.output)
            self._count([manifest])
            self.complete = True
        else:
            self._refuse(state)
            working.clear()
            working.start({"overwrite": self._overwrite, **self._identity})

    def _refuse(self, state: Mapping[str, Any] | None) -> None:
        io.refuse_existing(self._working.output, overwrite=self._overwrite)
        if state is not None and not self._overwrite:
            raise OutputError(
                "holds an unfinished store",
                where=self._working.path,
                hint="Go on with --resume, or drop it with --overwrite.",
            )

    def _check_same(self, before: Mapping[str, Any], where: Path) -> None:
        check_same(
            before,
            self._identity,
            where=where,
            hint="Give the same settings and files, or start again with "
            "--overwrite and without --resume.",
        )

    def _count(self, entries: list[Any]) -> None:
        self.items_done = sum(entry["items"] for entry in entries)
        self.rows_done = sum(entry["rows"] for entry in entries)

    def _new_shard(self, row_shape: tuple[int, ...]) -> OpenShard:
        return OpenShard(
            len(self._entries),
            folder=self._working.path,
            store=self._working.store,
            row_shape=row_shape,
            dtype=self._identity["dtype"],
        )

    def _commit(self) -> None:
        entry = self._shard.commit()
        self._shard = None
        self._entries.append(entry)
        self._working.commit(self._entries)
        self._count(self._entries)

    @contextlib.contextmanager
    def _once_broken_always_broken(self) -> Iterator[None]:
        # Going on after a failed write would leave a hole in the rows.
        if not self._usable:
            raise OutputError("not open for writing", where=self.path)
        self._usable = False
        yield
        self._usable = True
