"""The folder ``OUT.partial`` beside unfinished data: what was asked for, what is done.

``state.json`` says what was asked for. ``work-…`` holds blocks and reports, ``data-…``
becomes the output by one rename at the end; both are named after the state. So what a
worker of a killed run still writes goes to its own job, where it is the same bytes.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import io
from ..config import read_json_object
from ..errors import OutputError

_STATE = "state.json"
_AGAIN = "It cannot be continued; start again with --overwrite."


class WorkingFolder:
    """What unfinished data consists of on disk.

    Args:
        output: where the data will stand.
        identity: everything that decides its bytes, as JSON takes it.
    """

    def __init__(self, output: Path, identity: Mapping[str, Any]) -> None:
        text = json.dumps(identity, sort_keys=True)
        name = hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
        self.output, self.identity = output, identity
        self.path = output.with_name(f"{output.name}.partial")
        self.work = self.path / f"work-{name}"
        self.data = self.path / f"data-{name}"
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
            if not entry.name.startswith((".kbert-", "work-", "data-")):
                raise OutputError(
                    f"holds {entry.name!r}, which kbert did not write",
                    where=self.path,
                    hint="kbert needs this folder to work in: move it away.",
                )
        return None

    def start(self, *, overwrite: bool) -> None:
        """Set up the folder for a new run."""
        with io.writing(self.path):
            self.work.mkdir(exist_ok=True)
            self.data.mkdir(exist_ok=True)
            io.sync(self.path)
            io.sync(self.path.parent)
        io.write_json(self.path / _STATE, {"overwrite": overwrite, **self.identity})

    def recover(self) -> None:
        """Undo a half-done finish, and delete half-written files."""
        self._put_back()
        with io.writing(self.path):
            for folder in (self.path, self.work, self.data):
                io.remove_temporaries(folder)

    def publish(self, *, overwrite: bool) -> None:
        """Give the data its name, by one rename, and clean up.

        Raises:
            OutputError: something stands there, and ``overwrite`` is false.
        """
        io.refuse_existing(self.output, overwrite=overwrite)
        with io.writing(self.output):
            if self.output.exists():
                io.remove(self.replaced)
                os.replace(self.output, self.replaced)
            os.replace(self.data, self.output)
            io.sync(self.output.parent)
        self.clear()

    def clear(self) -> None:
        """Delete all of it but the lock; the state last, so that a kill leaves it."""
        self._put_back()
        io.remove(self.replaced)
        for folder in (*self.path.glob("work-*"), *self.path.glob("data-*")):
            io.remove(folder)
        io.remove(self.path / _STATE)
        io.remove_temporaries(self.path)

    def remove_if_empty(self) -> None:
        """Delete the folder itself, once the lock in it is gone."""
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()

    def check_file(self, path: Path, size: int) -> None:
        """Raise ``OutputError`` unless a finished file is there, of that size."""
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            raise OutputError(
                "is missing" if found is None else f"{found} bytes",
                where=path,
                expected=f"{size} bytes, as when it was written",
                hint=_AGAIN,
            )

    def _put_back(self) -> None:
        # Killed between the two renames of an overwriting finish.
        with io.writing(self.output):
            if self.replaced.exists() and not self.output.exists():
                os.replace(self.replaced, self.output)
