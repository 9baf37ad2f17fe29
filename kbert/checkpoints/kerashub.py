"""A KerasHub ``BertBackbone``, in memory or as a preset ↔ the model.

Its code is fixed: tanh GELU, epsilon 1e-12, a pooler, no heads. A preset's weights are
HDF5, which only KerasHub opens, and only where the caller named the preset.
"""

import difflib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from ..config import BertConfig, read_json_object
from ..errors import CheckpointError, InputError, OutputError
from ..model import Bert
from ..vocabulary import Vocabulary
from .assembly import LEAVE_OUT, Checkpoint, TokenizerFiles, finite_arrays, has_pooler
from .formats import TAKES
from .tensors import (
    Row,
    Shape,
    TensorInfo,
    TensorSource,
    kbert_shapes,
    make_rows,
    refuse,
    write_rows,
)

_LAYER = "transformer_layer_{}"
_ATTENTION = f"{_LAYER}/self_attention_layer"
_NAMES = {
    "embeddings/token": "token_embedding/embeddings",
    "embeddings/position": "position_embedding/embeddings",
    "embeddings/segment": "segment_embedding/embeddings",
    "embeddings/layer_norm/gamma": "embeddings_layer_norm/gamma",
    "embeddings/layer_norm/beta": "embeddings_layer_norm/beta",
    "layer_{}/attention/query_key_value/kernel": (
        f"{_ATTENTION}/query/kernel",
        f"{_ATTENTION}/key/kernel",
        f"{_ATTENTION}/value/kernel",
    ),
    "layer_{}/attention/query_key_value/bias": (
        f"{_ATTENTION}/query/bias",
        f"{_ATTENTION}/key/bias",
        f"{_ATTENTION}/value/bias",
    ),
    "layer_{}/attention/output/kernel": f"{_ATTENTION}/attention_output/kernel",
    "layer_{}/attention/output/bias": f"{_ATTENTION}/attention_output/bias",
    "layer_{}/attention_layer_norm/gamma": f"{_LAYER}/self_attention_layer_norm/gamma",
    "layer_{}/attention_layer_norm/beta": f"{_LAYER}/self_attention_layer_norm/beta",
    "layer_{}/intermediate/kernel": f"{_LAYER}/feedforward_intermediate_dense/kernel",
    "layer_{}/intermediate/bias": f"{_LAYER}/feedforward_intermediate_dense/bias",
    "layer_{}/output/kernel": f"{_LAYER}/feedforward_output_dense/kernel",
    "layer_{}/output/bias": f"{_LAYER}/feedforward_output_dense/bias",
    "layer_{}/output_layer_norm/gamma": f"{_LAYER}/feedforward_layer_norm/gamma",
    "layer_{}/output_layer_norm/beta": f"{_LAYER}/feedforward_layer_norm/beta",
    "pooler/dense/kernel": "pooled_dense/kernel",
    "pooler/dense/bias": "pooled_dense/bias",
}
_SIZES = (
    "vocabulary_size",
    "num_layers",
    "num_heads",
    "hidden_dim",
    "intermediate_dim",
    "dropout",
    "max_sequence_length",
    "num_segments",
)
_ACTIVATION, _EPSILON = "gelu_tanh", 1e-12
_REGISTERED = "keras_hub>BertBackbone"
_TOKENIZER = "tokenizer.json"


def read_backbone(
    backbone: Any, *, tokenizer: TokenizerFiles | None = None
) -> Checkpoint:
    """Understand a ``BertBackbone``.

    Raises:
        InputError: it is something else.
    """
    from keras_hub.models import BertBackbone

    if not isinstance(backbone, BertBackbone):
        raise InputError(
            f"source is a {type(backbone).__name__}",
            expected=f"{TAKES}, or a keras_hub.models.BertBackbone",
        )
    sizes = {name: getattr(backbone, name) for name in _SIZES}
    config = BertConfig(**sizes, activation=_ACTIVATION, layer_norm_epsilon=_EPSILON)
    weights = {weight.path: weight for weight in backbone.weights}
    entries = {
        path: TensorInfo(keras.backend.standardize_dtype(weight.dtype), weight.shape)
        for path, weight in weights.items()
    }
    source = TensorSource(
        f"BertBackbone {backbone.name}",
        entries,
        lambda path: keras.ops.convert_to_numpy(weights[path]),
    )
    return Checkpoint(
        config=config,
        tensors=source,
        table=lambda shapes: _table(shapes, config),
        units={},
        tokenizer=tokenizer,
    )


def read_preset(name: str) -> Checkpoint:
    """Understand a preset: a local folder, a name that KerasHub knows, a Kaggle handle.

    Its ``strip_accents=False`` is taken for the default that it is there: kbert strips
    accents where it folds case, as the weights were trained.

    Raises:
        CheckpointError: no such preset, not a BERT, or it cannot be had from here.
    """
    from keras_hub.models import BertBackbone, BertTokenizer

    folder = Path(name)
    if folder.is_dir():
        _check_folder(folder)
    elif name not in BertBackbone.presets and not name.startswith("kaggle://"):
        near = difflib.get_close_matches(name, BertBackbone.presets, n=1)
        raise CheckpointError(
            f"no folder or preset is called {name!r}",
            expected=TAKES,
            hint=f"Did you mean {near[0]!r}?" if near else None,
        )
    try:
        backbone = BertBackbone.from_preset(name)
        tokenizer = None
        if not folder.is_dir() or (folder / _TOKENIZER).exists():
            tokenizer = BertTokenizer.from_preset(name)
    except Exception as error:  # whatever its downloaders, HDF5 and Keras raise
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"KerasHub cannot give this preset: {type(error).__name__}: {reason}",
            where=name,
            hint="Presets are downloaded from Kaggle at first use; without a network, "
            "give a folder.",
        ) from error
    return read_backbone(backbone, tokenizer=tokenizer and _tokenizer(tokenizer, name))


def write(bert: Bert, folder: Path) -> None:
    """Fill a preset folder, with a ``BertTokenizer`` if there is a vocabulary.

    Raises:
        CheckpointError: a ``BertBackbone`` cannot compute the model.
        OutputError: there is too little room.
    """
    from keras_hub.models import BertBackbone, BertTokenizer

    _check_writable(bert)
    arrays = finite_arrays(bert)
    _check_room(folder, 2 * sum(array.nbytes for array in arrays.values()))
    shapes = kbert_shapes(bert.config, {}, pooler=True)
    tensors = write_rows(_table(shapes, bert.config), arrays)
    sizes = {name: getattr(bert.config, name) for name in _SIZES}
    backbone = BertBackbone(**sizes, dtype="float32")
    for weight in backbone.weights:
        weight.assign(tensors[weight.path])
    backbone.save_to_preset(str(folder))
    if bert.tokenizer is not None:
        BertTokenizer(
            vocabulary=list(bert.tokenizer.vocabulary.tokens),
            lowercase=bert.tokenizer.lowercase,
            strip_accents=bert.tokenizer.strip_accents,
        ).save_to_preset(str(folder))


def _table(shapes: Mapping[str, Shape], config: BertConfig) -> list[Row]:
    heads = (config.num_heads, config.hidden_dim // config.num_heads)

    def layout(name: str, shape: Shape) -> tuple[Shape, bool]:
        """Attention keeps the axes of the heads apart: [H, N, D], [N, D], [N, D, H]."""
        if "/query_key_value/" in name:
            return (*shape[:-1], *heads), False
        if name.endswith("/attention/output/kernel"):
            return (*heads, *shape[1:]), False
        return shape, False

    return make_rows(_NAMES, shapes, layout)


def _check_folder(folder: Path) -> None:
    """Nothing but a BertBackbone is built, whatever class the file names."""
    path = folder / "config.json"
    found = read_json_object(path).get("registered_name")
    if found != _REGISTERED:
        raise CheckpointError(
            f"registered_name={found!r}", where=path, expected=repr(_REGISTERED)
        )


def _tokenizer(tokenizer: Any, name: str) -> TokenizerFiles:
    return TokenizerFiles(
        Vocabulary.from_tokens(tokenizer.get_vocabulary()),
        tokenizer.lowercase,
        True if tokenizer.strip_accents else None,
        name,
    )


def _check_writable(bert: Bert) -> None:
    config = bert.config
    problems = [f"a BertBackbone has no head {name}" for name in bert.heads]
    if config.activation != _ACTIVATION:
        problems.append(
            f"a BertBackbone computes {_ACTIVATION}, not {config.activation} (if a "
            "difference of 5e-4 at the output does not matter, load the model with "
            "--activation gelu_tanh, activation= in Python)"
        )
    if config.layer_norm_epsilon != _EPSILON:
        problems.append(
            f"a BertBackbone computes with layer_norm_epsilon={_EPSILON}, not "
            f"{config.layer_norm_epsilon}"
        )
    if not has_pooler(bert):
        problems.append("a BertBackbone has a pooler, this model has none")
    refuse(problems, "model for kerashub", hint=LEAVE_OUT if bert.heads else None)


def _check_room(folder: Path, needed: int) -> None:
    # On a full disk HDF5 does not raise: it ends the process.
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"{free / 1e6:.0f} MB are free",
            where=folder.parent,
            expected=f"{needed / 1e6:.0f} MB",
            hint="Free some space, then run the same command again.",
        )
