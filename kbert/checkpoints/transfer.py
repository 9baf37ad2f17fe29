"""Load a model from any format, write it in any, and convert one into the other."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from .. import io
from ..config import Activation
from ..errors import ConfigError, InputError
from ..model import Bert
from . import directory, huggingface, kerashub, tf1
from .assembly import Checkpoint, StoreDtype, Transfer, assemble
from .formats import FORMATS, Format, recognise


def load(
    source: Any,
    *,
    without_heads: Sequence[str] = (),
    activation: Activation | None = None,
    lowercase: bool | None = None,
    dtype: str | None = None,
) -> Bert:
    """Load a model, whole, or not at all.

    Args:
        source: a kbert model directory; a Hugging Face folder with safetensors; a
            folder, or the prefix, of a Google TF1 checkpoint; the name of a KerasHub
            preset; a ``keras_hub.models.BertBackbone``. What stands in a folder says
            which, unless ``kbert:``, ``huggingface:``, ``tf1:`` or ``kerashub:`` stands
            before its name. The last one lets a local preset be read, which is HDF5.
        without_heads: heads left out on purpose, by our name (see
            ``kbert.heads.HEADS``) or by how the names of their tensors begin
            (``"classifier"``, ``"crf"``); ``"pooler"`` too.
        activation: compute with this GELU form, whatever the source says.
        lowercase: fold case or not, whatever the source says.
        dtype: Keras dtype policy of the model, such as ``"mixed_bfloat16"``.

    Returns:
        The model. Where the source has no pooler (masked LM, token classification and
        question answering of transformers), the encoder has no ``pooled_output``.

    Raises:
        KbertError: it cannot be found, is damaged, or is not a BERT. Tensors that are
            missing, unknown, misshapen or not finite are listed all at once.

    Example:
        >>> bert = kbert.load("minilm-l6-v2")  # doctest: +SKIP
        >>> bert.encoder(bert.tokenizer(["Some text."]))["sequence_output"].shape
        TensorShape([1, 5, 384])

    Source:
        Names: google-research/bert ``modeling.py``, transformers ``BertModel``.
        Differs: "gelu" of a Google config is the exact form, as in transformers, which
        computes it for the same weights; Google's code went over to the tanh form
        after it had trained them.
    """
    checkpoint = _understand(source)
    return assemble(
        checkpoint,
        without_heads=_names(without_heads),
        activation=activation,
        lowercase=lowercase,
        dtype=dtype,
    )[0]


def save(
    bert: Bert,
    path: str | os.PathLike[str],
    *,
    format: Format = "kbert",
    store_dtype: StoreDtype = "float32",
    overwrite: bool = False,
) -> None:
    """Write a model; the folder appears whole, or not at all.

    Args:
        bert: the model.
        path: a new or empty folder.
        format: ``"kbert"``, a model directory; or ``"huggingface"``, ``"tf1"``,
            ``"kerashub"``, which have no place for every head.
        store_dtype: numbers on disk; ``"float16"`` halves a model directory or a
            Hugging Face folder, and rounds each weight to 11 bits.
        overwrite: replace what stands at ``path``.

    Raises:
        CheckpointError: the format cannot hold the model, or a weight is not finite.
        ConfigError: no such format, or it has no such numbers.
        OutputError: ``path`` is taken, or cannot be written.
    """
    if format not in FORMATS:
        raise ConfigError(f"format={format!r}", expected=f"one of {', '.join(FORMATS)}")
    _check_store_dtype(store_dtype, format)
    options = {"store_dtype": store_dtype} if format in _HALVES else {}
    with io.atomic_directory(path, overwrite=overwrite) as folder:
        _WRITERS[format](bert, folder, **options)


def convert(
    source: Any,
    path: str | os.PathLike[str],
    *,
    to: Format,
    without_heads: Sequence[str] = (),
    activation: Activation | None = None,
    lowercase: bool | None = None,
    store_dtype: StoreDtype = "float32",
    overwrite: bool = False,
) -> Transfer:
    """Load a model and write it in another format.

    Args:
        source, without_heads, activation, lowercase: see ``load``.
        path, store_dtype, overwrite: see ``save``.
        to: the format to write.

    Returns:
        What became of every tensor of the source.

    Raises:
        KbertError: as from ``load`` and ``save``.
    """
    _check_store_dtype(store_dtype, to)
    io.refuse_existing(path, overwrite=overwrite)
    io.check_replaceable(path)
    bert, transfer = assemble(
        _understand(source),
        without_heads=_names(without_heads),
        activation=activation,
        lowercase=lowercase,
        dtype=None,
    )
    save(bert, path, format=to, store_dtype=store_dtype, overwrite=overwrite)
    return transfer


def _names(without_heads: Sequence[str]) -> Sequence[str]:
    if isinstance(without_heads, str):
        raise InputError(
            f"without_heads={without_heads!r} is one string", expected="a list of names"
        )
    return without_heads


def _check_store_dtype(store_dtype: str, format: Format) -> None:
    known = get_args(StoreDtype) if format in _HALVES else ("float32",)
    if store_dtype not in known:
        raise ConfigError(
            f"store_dtype={store_dtype!r}",
            expected=f"{' or '.join(map(repr, known))} in the format {format}",
        )


def _understand(source: Any) -> Checkpoint:
    if not isinstance(source, str | os.PathLike):
        return kerashub.read_backbone(source)
    place = recognise(source)
    if place.format == "kerashub":
        return kerashub.read_preset(place.name)
    return _READERS[place.format](Path(place.name))


_READERS = {"kbert": directory.read, "huggingface": huggingface.read, "tf1": tf1.read}
_WRITERS = {
    "kbert": directory.write,
    "huggingface": huggingface.write,
    "tf1": tf1.write,
    "kerashub": kerashub.write,
}
_HALVES = ("kbert", "huggingface")
