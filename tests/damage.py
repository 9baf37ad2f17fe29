"""Ways to do damage to a model's folder; each one gives a function of the folder."""

import json
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Damage = Callable[[Path], Any]
# What was done: the damage, and a pattern of what the error says.
Cases = Mapping[str, tuple[Damage, str]]
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"


def parametrize(tables: Mapping[str, Cases]) -> pytest.MarkDecorator:
    """Run a test with ``base``, ``damage`` and ``message`` of each case.

    Args:
        tables: the cases by the name of the folder that they are done to.
    """
    return pytest.mark.parametrize(
        ("base", "damage", "message"),
        [
            pytest.param(base, damage, message, id=f"{base}-{name.replace(' ', '_')}")
            for base, cases in tables.items()
            for name, (damage, message) in cases.items()
        ],
    )


def assert_one_error(folder: Path, message: str) -> None:
    """Loading fails with one line that fits ``message`` and names the folder."""
    import kbert

    with pytest.raises(kbert.KbertError, match=message) as caught:
        kbert.load(folder)

    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def tensors(
    change: Callable[[dict[str, np.ndarray]], Any], file: str = WEIGHTS
) -> Damage:
    """Change the tensors of a safetensors file, which stays a good one."""

    def damage(folder: Path) -> None:
        from safetensors.numpy import load_file, save_file

        arrays = load_file(folder / file)
        change(arrays)
        arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        save_file(arrays, folder / file, metadata={"format": "pt"})

    return damage


def renamed(old: str, new: str) -> Damage:
    return tensors(lambda arrays: arrays.update({new: arrays.pop(old)}))


def removed(*names: str, file: str = WEIGHTS) -> Damage:
    return tensors(lambda arrays: [arrays.pop(name) for name in names], file)


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    return tensors(lambda arrays: arrays.update({name: change(arrays[name])}))


def filled(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """Put one value into the first place of a copy."""

    def change(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array.flat[0] = value
        return array

    return change


def cut(file: str, size: int) -> Damage:
    """Keep the first bytes; negative: lose the last ones."""

    def damage(folder: Path) -> None:
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(content[:size])

    return damage


def flipped(file: str, place: int) -> Damage:
    def damage(folder: Path) -> None:
        content = bytearray((folder / file).read_bytes())
        content[place] ^= 1
        (folder / file).write_bytes(content)

    return damage


def header(change: Callable[[dict[str, Any]], Any]) -> Damage:
    """Change the header of the safetensors file; the numbers stay."""

    def damage(folder: Path) -> None:
        content = (folder / WEIGHTS).read_bytes()
        length = struct.unpack("<Q", content[:8])[0]
        fields = json.loads(content[8 : 8 + length])
        new = change(fields) or json.dumps(fields)
        raw = new.encode()
        (folder / WEIGHTS).write_bytes(
            struct.pack("<Q", len(raw)) + raw + content[8 + length :]
        )

    return damage


def entry(name: str, **changes: Any) -> Damage:
    """Change the header's entry of one tensor."""
    return header(lambda fields: fields[name].update(changes) and None)


def written(file: str, content: str | bytes) -> Damage:
    def damage(folder: Path) -> None:
        raw = content.encode() if isinstance(content, str) else content
        (folder / file).write_bytes(raw)

    return damage


def appended(file: str, content: bytes) -> Damage:
    return lambda folder: (folder / file).write_bytes(
        (folder / file).read_bytes() + content
    )


def deleted(*files: str) -> Damage:
    return lambda folder: [(folder / file).unlink() for file in files]


def edited(file: str, change: Callable[[dict[str, Any]], Any]) -> Damage:
    """Change the fields of a JSON file."""

    def damage(folder: Path) -> None:
        fields = json.loads((folder / file).read_text())
        change(fields)
        (folder / file).write_text(json.dumps(fields))

    return damage


def fields(file: str, **changes: Any) -> Damage:
    return edited(file, lambda content: content.update(changes))


def moved(new: str) -> Damage:
    """Let the index say that one tensor is in another file."""
    name = "bert.pooler.dense.bias"
    return edited(INDEX, lambda content: content["weight_map"].update({name: new}))


def listed(*damages: Damage) -> Damage:
    """Do damage to a kbert directory and write a manifest that agrees with it."""

    def damage(folder: Path) -> None:
        from kbert import io

        for one in damages:
            one(folder)
        names = ["config.json", WEIGHTS, "vocab.txt", "labels.txt"]
        entries = {
            name: io.file_entry(folder / name)
            for name in names
            if (folder / name).exists()
        }
        io.write_json(folder / "manifest.json", {"format": 1, "files": entries})

    return damage


def checkpoint(change: Callable[[dict[str, np.ndarray]], Any]) -> Damage:
    """Change the tensors of a TF1 checkpoint, which stays a good one."""

    def damage(folder: Path) -> None:
        import tensorflow as tf

        prefix = str(folder / "bert_model.ckpt")
        reader = tf.train.load_checkpoint(prefix)
        arrays = {
            name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
        }
        change(arrays)
        tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=list(arrays),
            shape_and_slices=[""] * len(arrays),
            tensors=list(arrays.values()),
        )

    return damage


def second_checkpoint(pointer: str | None = None) -> Damage:
    """Add a second checkpoint and, if given, a file that says which is meant."""

    def damage(folder: Path) -> None:
        for ending in ("index", "data-00000-of-00001"):
            shutil.copy(
                folder / f"bert_model.ckpt.{ending}", folder / f"other.ckpt.{ending}"
            )
        if pointer is not None:
            text = f'model_checkpoint_path: "{pointer}"\n'
            (folder / "checkpoint").write_text(text)

    return damage


def object_checkpoint(folder: Path) -> None:
    import tensorflow as tf

    path = tf.train.Checkpoint(step=tf.Variable(1)).write(str(folder / "new"))
    for ending in ("index", "data-00000-of-00001"):
        shutil.move(f"{path}.{ending}", folder / f"bert_model.ckpt.{ending}")
