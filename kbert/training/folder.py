"""The folder of a run: who holds it, and ``run.json``, which says what the run is."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .. import __version__, io
from ..config import read_json_object
from ..errors import OutputError
from ..fingerprints import check_same
from ..model import Bert, model_variables
from .state import FOLDER

_RUN = "run.json"
_OWN = ".kbert-"


@contextlib.contextmanager
def held(
    run: Path, *, resume: bool, overwrite: bool, write: bool = True
) -> Iterator[None]:
    """Hold the folder for this process, if a run may begin or go on there.

    To resume where no run has begun is to begin one: a run can be killed at once. What
    is to be replaced stays until ``describe``, when all else has been checked.

    Args:
        run: the folder.
        resume: go on with the run that stands there, if there is one.
        overwrite: replace what stands there.
        write: whether this host writes files; only that one holds the folder.

    Raises:
        ConfigError: it cannot be both resumed and replaced.
        OutputError: another process holds it, or something stands there.
    """
    io.check_resume(resume=resume, overwrite=overwrite)
    if not write:
        yield
        return
    with io.writing(run):
        run.mkdir(parents=True, exist_ok=True)
    try:
        with io.lock(run):
            if not (overwrite or (resume and has_begun(run))):
                _refuse_existing(run)
            io.remove_temporaries(run)
            io.remove_temporaries(run / FOLDER)
            yield
    finally:
        with contextlib.suppress(OSError):
            run.rmdir()  # if nothing has got there


def describe(run: Path, what: Mapping[str, Any], *, resume: bool, write: bool) -> None:
    """Write down what the run is, or check that it is still that.

    A run that is not resumed begins here: whatever else is in the folder is deleted.

    Args:
        run: the folder, which is ``held``.
        what: everything that decides what the run computes.
        resume: whether an older description counts.
        write: whether this host writes files.

    Raises:
        ConfigError: the run that is resumed was another one.
    """
    path = run / _RUN
    if resume and path.exists():
        hint = "Resume with the settings that it began with, or start another run."
        check_same(read_json_object(path), _as_json(what), where=run, hint=hint)
    elif write:
        # What makes it a run goes first: a kill between leaves no half of one.
        for entry in sorted(_entries(run), key=lambda one: one != path):
            io.remove(entry)
        io.write_json(path, what)


def has_begun(run: Path) -> bool:
    """Whether a run has been described there."""
    return (run / _RUN).exists()


def description(run: Path) -> dict[str, Any]:
    """What ``describe`` wrote."""
    return read_json_object(run / _RUN)


def weights_digest(bert: Bert) -> str:
    """The SHA-256 of all weights."""
    sha = hashlib.sha256()
    for path, variable in sorted(model_variables(bert).items()):
        sha.update(path.encode("utf-8"))
        sha.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)))
    return sha.hexdigest()


def versions() -> dict[str, str]:
    """Of kbert, Keras and TensorFlow, for ``training.json``."""
    found = {"kbert": __version__, "keras": keras.__version__}
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found["tensorflow"] = tf.__version__
    return found


def _refuse_existing(run: Path) -> None:
    if entries := _entries(run):
        known = has_begun(run)
        raise OutputError(
            "holds a run" if known else f"holds {entries[0].name!r}, and no run",
            where=run,
            hint=("Go on with --resume, " if known else "Choose another output, ")
            + "or replace it with --overwrite (resume=True, overwrite=True in Python).",
        )


def _entries(run: Path) -> list[Path]:
    return [one for one in run.iterdir() if not one.name.startswith(_OWN)]


def _as_json(value: Any) -> Any:
    """Tuples as lists, as they come back from a file."""
    if isinstance(value, Mapping):
        return {key: _as_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(part) for part in value]
    return value
