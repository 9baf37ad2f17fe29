"""A kbert model directory ↔ the model: JSON, a vocabulary, safetensors, digests.

``config.json`` is ``{"format": 1, "encoder": …, "pooler": …, "heads": …,
"tokenizer": …}``; ``manifest.json`` has the size and the SHA-256 of every file that is
read. Nothing in the directory can run code.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import io
from ..config import BertConfig, read_json_object
from ..errors import CheckpointError, ConfigError
from ..heads import HEADS
from ..model import Bert
from ..vocabulary import Vocabulary
from .assembly import (
    Checkpoint,
    StoreDtype,
    TokenizerFiles,
    finite_arrays,
    has_pooler,
    head_units,
)
from .bert_json import read_flag
from .labels import read_labels, write_labels
from .model_card import model_card
from .safetensors_files import open_safetensors, write_safetensors
from .tensors import own_rows

FORMAT = 1
_CONFIG, _WEIGHTS, _VOCABULARY = "config.json", "model.safetensors", "vocab.txt"
_LABELS, _TRAINING, _CARD = "labels.txt", "training.json", "README.md"
_NEEDED = (_CONFIG, _WEIGHTS)
_OPTIONAL = (_VOCABULARY, _LABELS, _TRAINING)
_FIELDS = ("format", "encoder", "pooler", "heads", "tokenizer")


def read(folder: Path) -> Checkpoint:
    """Verify and understand a model directory.

    Raises:
        KbertError: a file is missing, damaged or malformed, or a newer kbert wrote it.
    """
    path = folder / _CONFIG
    fields = read_json_object(path)
    _check_format(fields, path)
    files = _verified_files(folder)
    config = BertConfig.from_dict(_object(fields, "encoder", path), where=path)
    units = _units(_object(fields, "heads", path), config, path)
    pooler = fields.get("pooler")
    if not isinstance(pooler, bool):
        raise ConfigError(f"pooler={pooler!r}", where=path, expected="true or false")
    tokenizer = None
    if _VOCABULARY in files:
        tokenizer = _tokenizer(folder, _object(fields, "tokenizer", path), path)
    return Checkpoint(
        config=config,
        tensors=open_safetensors(folder / _WEIGHTS),
        table=own_rows,
        units=units,
        required=frozenset(units),
        pooler=pooler,
        tokenizer=tokenizer,
        labels=read_labels(folder / _LABELS) if _LABELS in files else (),
        training=read_json_object(folder / _TRAINING) if _TRAINING in files else {},
    )


def write(bert: Bert, folder: Path, *, store_dtype: StoreDtype = "float32") -> None:
    """Fill a model directory."""
    tokenizer = bert.tokenizer
    write_safetensors(
        folder / _WEIGHTS,
        finite_arrays(bert, store_dtype),
        metadata={"format": "kbert"},
    )
    fields: dict[str, Any] = {
        "format": FORMAT,
        "encoder": bert.config.to_dict(),
        "pooler": has_pooler(bert),
        "heads": {
            name: {} if name == "masked_lm" else {"units": units}
            for name, units in head_units(bert).items()
        },
    }
    if tokenizer is not None:
        tokenizer.vocabulary.save(folder / _VOCABULARY)
        fields["tokenizer"] = {
            "lowercase": tokenizer.lowercase,
            "strip_accents": tokenizer.strip_accents,
        }
    io.write_json(folder / _CONFIG, fields)
    if bert.labels:
        write_labels(folder / _LABELS, bert.labels)
    if bert.training:
        io.write_json(folder / _TRAINING, dict(bert.training))
    entries = {path.name: io.file_entry(path) for path in sorted(folder.iterdir())}
    io.write_json(folder / io.MANIFEST, {"format": FORMAT, "files": entries})
    # Not in the manifest: people write on in it.
    io.write_text(folder / _CARD, model_card(bert))


def _check_format(fields: Mapping[str, Any], path: Path) -> None:
    number = fields.get("format")
    if type(number) is int and number > FORMAT:
        raise CheckpointError(
            f"format {number}, of a newer kbert",
            where=path,
            expected=f"format {FORMAT}",
            hint="Update kbert.",
        )
    if number != FORMAT:
        raise CheckpointError(
            f"format={number!r}", where=path, expected=f"format {FORMAT}"
        )
    unknown = [name for name in fields if name not in _FIELDS]
    if unknown:
        raise ConfigError(
            f"unknown fields {', '.join(unknown)}",
            where=path,
            expected=f"only {', '.join(_FIELDS)}",
        )


def _verified_files(folder: Path) -> set[str]:
    """The names in the manifest, each of which is whole."""
    path = folder / io.MANIFEST
    entries = read_json_object(path).get("files")
    if not isinstance(entries, dict) or not all(
        isinstance(entry, dict) and {"bytes", "sha256"} <= set(entry)
        for entry in entries.values()
    ):
        raise CheckpointError("no digests of files", where=path, expected='"files"')
    for name in _NEEDED:
        if name not in entries:
            raise CheckpointError(f"{name} is not listed", where=path)
    for name in _OPTIONAL:
        if name not in entries and (folder / name).exists():
            raise CheckpointError(
                f"{name} is not listed, but stands in the folder",
                where=path,
                hint="Move it away, or make the model directory anew with kbert.save.",
            )
    for name, entry in entries.items():
        io.verify_file(io.child(folder, name), entry)
    return set(entries)


def _object(fields: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise ConfigError(f"{name}={value!r}", where=path, expected="an object")
    return value


def _units(heads: dict[str, Any], config: BertConfig, path: Path) -> dict[str, int]:
    units = {}
    for name, options in heads.items():
        if name not in HEADS:
            raise ConfigError(
                f"unknown head {name!r}",
                where=path,
                expected=f"one of {', '.join(HEADS)}",
            )
        options = _object(heads, name, path)
        fixed = {"units": config.vocabulary_size} if name == "masked_lm" else {}
        count = {**fixed, **options}.get("units")
        if (
            set({**fixed, **options}) != {"units"}
            or type(count) is not int
            or count < 1
        ):
            raise ConfigError(
                f"head {name}: {options!r}",
                where=path,
                expected='{"units": N}, N a whole number above 0',
            )
        units[name] = count
    return units


def _tokenizer(folder: Path, options: dict[str, Any], path: Path) -> TokenizerFiles:
    unknown = [name for name in options if name not in ("lowercase", "strip_accents")]
    if unknown:
        raise ConfigError(f"unknown fields tokenizer.{', '.join(unknown)}", where=path)
    lowercase = read_flag(options, "lowercase", where=path)
    strip_accents = read_flag(options, "strip_accents", where=path)
    where = folder / _VOCABULARY
    return TokenizerFiles(Vocabulary.from_file(where), lowercase, strip_accents, where)
