"""A name or folder → which format it is in, by what stands there; never by trying."""

import os
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from ..bundled import BUNDLED, bundled_folder
from ..config import read_json_object
from ..errors import CheckpointError

Format = Literal["kbert", "huggingface", "tf1", "kerashub"]
FORMATS: tuple[Format, ...] = get_args(Format)

TAKES = (
    f"a bundled name ({', '.join(BUNDLED)}), a kbert model directory, a Hugging Face "
    "folder (config.json and safetensors), a Google TF1 folder (bert_config.json and a "
    "checkpoint), or the name of a KerasHub preset"
)
_PROGRAMS = {
    ".keras": "a .keras file can run code when it is loaded",
    ".h5": "an HDF5 file can point at other files and ask for any amount of memory",
    ".hdf5": "an HDF5 file can point at other files and ask for any amount of memory",
    ".bin": "a pickle can run code when it is loaded",
    ".pt": "a pickle can run code when it is loaded",
    ".pth": "a pickle can run code when it is loaded",
    ".pkl": "a pickle can run code when it is loaded",
    ".joblib": "a pickle can run code when it is loaded",
    ".pb": "a SavedModel is a program",
}
_CONVERT = (
    "Load it where you trust it and write safetensors there: with save_pretrained of "
    "transformers, or with kbert.save."
)


class Place(NamedTuple):
    """Where a source is: its format, and the folder, checkpoint prefix or preset."""

    format: Format
    name: str


def recognise(source: str | os.PathLike[str]) -> Place:
    """Find out what ``source`` is.

    Args:
        source: a bundled name, a path, or the name of a preset; a format and a colon
            before it, such as ``tf1:folder``, say what it is.

    Raises:
        KbertError: it is nothing that kbert reads.
    """
    name = os.fspath(source)
    if name in BUNDLED:
        return Place("kbert", str(bundled_folder(name)))
    format, colon, rest = name.partition(":")
    if colon and rest and format in FORMATS:
        return Place(format, rest)
    path = Path(name)
    if path.is_dir():
        return Place(_folder_format(path), name)
    prefix = name.removesuffix(".index")
    if Path(f"{prefix}.index").is_file():
        return Place("tf1", prefix)
    if path.exists():
        raise _file_error(path)
    # What has the form of a path was meant as one.
    if name.startswith((".", "/", "~")) or os.sep in name and "://" not in name:
        raise CheckpointError("no such folder", where=name, expected=TAKES)
    return Place("kerashub", name)


def _folder_format(folder: Path) -> Format:
    config = folder / "config.json"
    if config.is_file():
        fields = read_json_object(config)
        if "format" in fields:
            return "kbert"
        if "model_type" in fields or "architectures" in fields:
            return "huggingface"
        if "registered_name" in fields:
            raise CheckpointError(
                "a KerasHub preset, whose weights are HDF5, which kbert opens only "
                "where it is told to",
                where=folder,
                hint=f"If you trust it, write kerashub:{folder}.",
            )
    if (folder / "bert_config.json").is_file():
        return "tf1"
    if config.is_file():
        raise CheckpointError(
            'none of "format" (kbert), "model_type", "architectures" (Hugging Face)',
            where=config,
            hint="Name the format, such as huggingface:FOLDER, if you know it.",
        )
    for path in sorted(folder.iterdir()):
        if path.suffix in _PROGRAMS:
            raise _file_error(path)
    raise CheckpointError(
        "holds neither config.json nor bert_config.json", where=folder, expected=TAKES
    )


def _file_error(path: Path) -> CheckpointError:
    if path.suffix in _PROGRAMS:
        return CheckpointError(
            f"is not opened: {_PROGRAMS[path.suffix]}", where=path, hint=_CONVERT
        )
    return CheckpointError(
        "is a file",
        where=path,
        expected=TAKES,
        hint="Give the folder that it stands in.",
    )
