"""The folder ``OUT.partial`` beside an unfinished store: shards so far, a journal.

``state.json`` says what the run was asked for, ``journal.jsonl`` has a line for every
shard that is safe on disk, and ``store/`` becomes the output by one rename at the end.
So a state without ``store/`` belongs to a run that ended and was killed cleaning up.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import io
from ..config import read_json_object
from ..errors import OutputError
from .layout import ITEMS, OFFSETS, README, STATUS, shard_name
from .shard import part_names

_STATE, _JOURNAL = "state.json", "journal.jsonl"
_PARTS = ("status-*.bin", "lengths-*.bin", "items-*.jsonl", f"{io.TEMPORARY}*")
_DERIVED = (OFFSETS, STATUS, ITEMS, README, io.MANIFEST, f"{io.TEMPORARY}*")
_AGAIN = "It cannot be continued; start again with --overwrite."


class WorkingFolder:
    """What an unfinished store consists of on disk.

    Args:
        output: where the store will stand.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.path = output.with_name(f"{output.name}.partial")
        self.store = self.path / "store"
        self.replaced = self.path / "replaced"

    def state(self) -> dict[str, Any] | None:
        """What the unfinished run was asked for, or ``None`` if there is none.

        Raises:
            OutputError: the folder holds files but is none of ours.
        """
        path = self.path / _STATE
        if path.exists():
            return read_json_object(path)
        for entry in self.path.iterdir():
            ours = entry.name.startswith(".kbert-") or (
                entry == self.store and not any(entry.iterdir())
            )
            if not ours:
                raise OutputError(
                    f"holds {entry.name!r}, which kbert did not write",
                    where=self.path,
                    hint="kbert needs this folder to work in: move it away.",
                )
        return None

    def start(self, state: Mapping[str, Any]) -> None:
        """Set up the folder for a new run."""
        with io.writing(self.path):
            io.remove_temporaries(self.path)
            self.store.mkdir(exist_ok=True)
            io.sync(self.path.parent)
        io.write_json(self.path / _STATE, state)

    def commit(self, entries: list[dict[str, Any]]) -> None:
        """Write the journal; its last line is a shard that has just been synced."""
        lines = [f"{json.dumps(entry)}\n" for entry in entries]
        io.write_text(self.path / _JOURNAL, "".join(lines))

    def recover(self) -> list[dict[str, Any]]:
        """Undo a half-done finish, delete what the journal does not know, check sizes.

        Returns:
            The journal: one entry a shard.

        Raises:
            OutputError: the journal cannot be read, or a shard in it is not there.
        """
        entries = self._journal()
        self._put_back()
        with io.writing(self.path):
            for path in self.store.glob("features-*-of-*.npy"):
                os.replace(path, self.store / f"{path.name.split('-of-')[0]}.npy")
        known = set()
        for index, entry in enumerate(entries):
            paths = [self.store / shard_name(index)]
            paths += [self.path / name for name in part_names(index)]
            for path in paths:
                _check_size(path, entry["files"])
            known.update(paths)
        self._remove_except(known)
        return entries

    def clear(self) -> None:
        """Delete all of it but the lock; in an order that any kill leaves clear."""
        self._put_back()
        io.remove(self.path / _JOURNAL)
        self._remove_except(set())
        io.remove(self.store)
        io.remove(self.replaced)
        io.remove(self.path / _STATE)

    def remove_if_empty(self) -> None:
        """Delete the folder itself, once the lock in it is gone."""
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()

    def _put_back(self) -> None:
        # Killed between the two renames of an overwriting finish.
        with io.writing(self.output):
            if self.replaced.exists() and not self.output.exists():
                os.replace(self.replaced, self.output)

    def _journal(self) -> list[dict[str, Any]]:
        path = self.path / _JOURNAL
        try:
            lines = path.read_text("utf-8").splitlines() if path.exists() else []
            entries = [json.loads(line) for line in lines]
            for index, entry in enumerate(entries):
                shapes = {shard_name(index), *part_names(index)}
                if set(entry["files"]) != shapes or entry["items"] + entry["rows"] < 0:
                    raise ValueError("not the entry of a shard")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(f"damaged: {error}", where=path, hint=_AGAIN) from error
        return entries

    def _remove_except(self, known: set[Path]) -> None:
        patterns = [(self.path, _PARTS), (self.store, ("features-*.npy", *_DERIVED))]
        with io.writing(self.path):
            for folder, names in patterns:
                for path in (path for name in names for path in folder.glob(name)):
                    if path not in known:
                        io.remove(path)


def _check_size(path: Path, files: Mapping[str, Any]) -> None:
    expected = files[path.name]["bytes"]
    found = path.stat().st_size if path.is_file() else None
    if found != expected:
        raise OutputError(
            "is missing" if found is None else f"{found} bytes",
            where=path,
            expected=f"{expected} bytes, as the journal says",
            hint=_AGAIN,
        )
