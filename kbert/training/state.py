"""A training run's variables ↔ a checkpoint: every one of them, whole, or none.

``checkpoints/step-00001000/`` holds ``state.safetensors`` (weights, dropout seeds,
optimizer, running means, by number and path) and ``manifest.json`` (step, digest). It
appears by one rename. The position in the data is the step.
"""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from .. import io
from ..checkpoints.safetensors_files import write_safetensors
from ..config import read_json_object
from ..errors import (
    CheckpointError,
    ConfigError,
    DivergedError,
    KbertError,
    KbertWarning,
)
from .strategies import Devices

FOLDER = "checkpoints"
_STATE = "state.safetensors"
_NAME = re.compile(r"step-(\d{8,})")
# Keras counts those without a name over the whole process.
_COUNTED = re.compile(r"(seed_generator)_\d+")


def variables_of(model: keras.Model) -> dict[str, keras.Variable]:
    """All that a training step reads and changes, by a name that stays the same."""
    groups = {
        "model": model.variables,
        "optimizer": model.optimizer.variables,
        "means": model.metrics_variables,
    }
    return {
        _stable(f"{group}/{number:04d}/{variable.path}"): variable
        for group, members in groups.items()
        for number, variable in enumerate(members)
    }


def save_state(
    model: keras.Model, run: Path, *, step: int, keep: int, write: bool = True
) -> None:
    """Write the checkpoint of ``step``, then delete all but the newest ``keep``.

    What is newer than ``step`` is deleted too: the run passed over it as damaged.

    Args:
        model: what is saved.
        run: the folder of the run.
        step: its number.
        keep: how many checkpoints stay.
        write: false on all hosts but one. All of them have to call this: to read the
            running means they add up those of their devices.

    Raises:
        DivergedError: a number in it is not finite; then nothing is written.
        OutputError: it cannot be written; the older ones are untouched.
    """
    # A scalar becomes an array of one number.
    arrays = {
        name: np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
        for name, variable in variables_of(model).items()
    }
    _check_finite(arrays, where=run, step=step)
    if not write:
        return
    path = run / FOLDER / f"step-{step:08d}"
    with io.atomic_directory(path, overwrite=True) as folder:
        with io.writing(path):
            write_safetensors(folder / _STATE, arrays, metadata={})
        entry = io.file_entry(folder / _STATE)
        manifest = {"step": step, "variables": len(arrays), "files": {_STATE: entry}}
        io.write_json(folder / io.MANIFEST, manifest)
    older = [one for one in checkpoints(run) if _step(one) <= step]
    for other in checkpoints(run):
        if other not in older[-keep:]:
            io.remove(other)


def checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run, the newest last."""
    found = (run / FOLDER).glob("step-*") if (run / FOLDER).is_dir() else ()
    return sorted((one for one in found if _NAME.fullmatch(one.name)), key=_step)


def newest_state(run: Path) -> tuple[int, dict[str, np.ndarray]] | None:
    """The newest checkpoint: its step and its arrays; ``None`` if there is none yet.

    Raises:
        CheckpointError: all are damaged.

    Warns:
        KbertWarning: a damaged one is passed over for the one before.
    """
    damage: KbertError | None = None
    for path in reversed(checkpoints(run)):
        try:
            found = _read(path)
        except KbertError as error:
            damage = damage or error
            continue
        if damage is not None:
            message = f"{damage} The checkpoint {path.name} is used instead."
            warnings.warn(message, KbertWarning, stacklevel=2)
        return found
    if damage is not None:
        raise CheckpointError(
            f"no checkpoint is whole: {damage.what}",
            where=damage.where,
            hint="Start the run again with --overwrite and without --resume.",
        )
    return None


def resume_state(
    model: keras.Model, run: Path, devices: Devices
) -> tuple[int, list[np.ndarray]]:
    """Give a compiled model the values of the newest checkpoint, if there is one.

    Returns:
        The checkpoint's step, and the running means that it had.

    Raises:
        CheckpointError: all are damaged, or of another model.
        ConfigError: the hosts see different ones.
    """
    model.optimizer.build(model.trainable_variables)
    found = newest_state(run)
    steps = devices.gather(found[0] if found else 0)
    if len(set(steps)) > 1:
        raise ConfigError(
            f"the hosts see checkpoints of the steps {steps}",
            where=run,
            expected="the same on all hosts",
            hint="Give them an output folder that they share.",
        )
    if found is None:
        return 0, []
    step, arrays = found
    restore(model, arrays, where=run)
    return step, [keras.ops.convert_to_numpy(one) for one in model.metrics_variables]


def restore(model: keras.Model, arrays: dict[str, np.ndarray], *, where: Path) -> None:
    """Give every variable its value back.

    Raises:
        CheckpointError: the names or shapes are not exactly those of the model.
    """
    variables = variables_of(model)
    wrong = [name for name in variables if name not in arrays]
    wrong += [name for name in arrays if name not in variables]
    wrong += [
        name
        for name, variable in variables.items()
        if name in arrays and (tuple(variable.shape) or (1,)) != arrays[name].shape
    ]
    if wrong:
        raise CheckpointError(
            f"does not fit the model: {_some(wrong)}",
            where=where,
            hint="Resume with the version of kbert that wrote it.",
        )
    for name, variable in variables.items():
        variable.assign(arrays[name].reshape(variable.shape))


def _check_finite(arrays: dict[str, np.ndarray], *, where: Path, step: int) -> None:
    """Raise ``DivergedError`` if a weight or a number of the optimizer is not finite.

    The running means may be: a step that was left out can have spoilt them.
    """
    for name, values in arrays.items():
        checked = values.dtype.kind == "f" and not name.startswith("means/")
        if checked and not np.isfinite(values).all():
            raise DivergedError(
                f"step {step}: {name} is not finite",
                where=where,
                hint="The checkpoint before is kept. Try a lower learning rate in a "
                "new run.",
            )


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _read(path: Path) -> tuple[int, dict[str, np.ndarray]]:
    manifest = read_json_object(path / io.MANIFEST)
    files, step = manifest.get("files"), manifest.get("step")
    if not isinstance(files, dict) or type(step) is not int:
        raise CheckpointError("is no manifest", where=path / io.MANIFEST)
    io.verify_file(path / _STATE, _entry(files, path))
    try:
        arrays = load_file(path / _STATE)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"cannot be read: {error}", where=path) from error
    if len(arrays) != manifest.get("variables"):
        raise CheckpointError(f"holds {len(arrays)} variables", where=path)
    return step, {_stable(name): values for name, values in arrays.items()}


def _stable(name: str) -> str:
    """A variable's name without what a second model in one process changes."""
    return _COUNTED.sub(r"\1", name)


def _entry(files: dict[str, Any], path: Path) -> dict[str, Any]:
    entry = files.get(_STATE)
    if not isinstance(entry, dict) or not {"bytes", "sha256"} <= set(entry):
        raise CheckpointError(f"says nothing of {_STATE}", where=path / io.MANIFEST)
    return entry


def _some(names: Sequence[str], count: int = 5) -> str:
    rest = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + rest
