"""A Google TF1 folder, ``bert_config.json`` and a V2 checkpoint ↔ the model.

Such a folder does not say whether it is uncased, nor which GELU it was trained with:
the first is told by the capitals in the vocabulary, the second is taken for the exact
form. kbert writes both into ``bert_config.json``, where Google's code skips them.
"""

import errno
import json
import math
import re
from pathlib import Path

import numpy as np
import tensorflow as tf

from .. import io
from ..config import read_json_object
from ..errors import CheckpointError
from ..model import Bert
from ..vocabulary import Vocabulary
from .assembly import (
    LEAVE_OUT,
    Checkpoint,
    TokenizerFiles,
    finite_arrays,
    has_pooler,
    head_units,
)
from .bert_json import config_from_json, config_to_json, read_flag
from .labels import read_labels, write_labels
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

_LAYER = "bert/encoder/layer_{}"
_NAMES = {
    "embeddings/token": "bert/embeddings/word_embeddings",
    "embeddings/position": "bert/embeddings/position_embeddings",
    "embeddings/segment": "bert/embeddings/token_type_embeddings",
    "embeddings/layer_norm/gamma": "bert/embeddings/LayerNorm/gamma",
    "embeddings/layer_norm/beta": "bert/embeddings/LayerNorm/beta",
    "layer_{}/attention/query_key_value/kernel": (
        f"{_LAYER}/attention/self/query/kernel",
        f"{_LAYER}/attention/self/key/kernel",
        f"{_LAYER}/attention/self/value/kernel",
    ),
    "layer_{}/attention/query_key_value/bias": (
        f"{_LAYER}/attention/self/query/bias",
        f"{_LAYER}/attention/self/key/bias",
        f"{_LAYER}/attention/self/value/bias",
    ),
    "layer_{}/attention/output/kernel": f"{_LAYER}/attention/output/dense/kernel",
    "layer_{}/attention/output/bias": f"{_LAYER}/attention/output/dense/bias",
    "layer_{}/attention_layer_norm/gamma": f"{_LAYER}/attention/output/LayerNorm/gamma",
    "layer_{}/attention_layer_norm/beta": f"{_LAYER}/attention/output/LayerNorm/beta",
    "layer_{}/intermediate/kernel": f"{_LAYER}/intermediate/dense/kernel",
    "layer_{}/intermediate/bias": f"{_LAYER}/intermediate/dense/bias",
    "layer_{}/output/kernel": f"{_LAYER}/output/dense/kernel",
    "layer_{}/output/bias": f"{_LAYER}/output/dense/bias",
    "layer_{}/output_layer_norm/gamma": f"{_LAYER}/output/LayerNorm/gamma",
    "layer_{}/output_layer_norm/beta": f"{_LAYER}/output/LayerNorm/beta",
    "pooler/dense/kernel": "bert/pooler/dense/kernel",
    "pooler/dense/bias": "bert/pooler/dense/bias",
    "masked_lm/transform/kernel": "cls/predictions/transform/dense/kernel",
    "masked_lm/transform/bias": "cls/predictions/transform/dense/bias",
    "masked_lm/layer_norm/gamma": "cls/predictions/transform/LayerNorm/gamma",
    "masked_lm/layer_norm/beta": "cls/predictions/transform/LayerNorm/beta",
    "masked_lm/bias": "cls/predictions/output_bias",
    "next_sentence/dense/kernel": "cls/seq_relationship/output_weights",
    "next_sentence/dense/bias": "cls/seq_relationship/output_bias",
    "sequence_classifier/dense/kernel": "output_weights",
    "sequence_classifier/dense/bias": "output_bias",
    "span/dense/kernel": "cls/squad/output_weights",
    "span/dense/bias": "cls/squad/output_bias",
}
_HEADS = ("masked_lm", "next_sentence", "sequence_classifier", "span")
# Slots of the optimizers that BERT was trained with, and their counters.
_NO_WEIGHT = re.compile(
    r".+/(adam_[mv]|lamb_[mv]|Adam(_1)?|AdamWeightDecayOptimizer(_1)?"
    r"|LAMBOptimizer(_1)?|Momentum|ExponentialMovingAverage)"
    r"|global_step|beta[12]_power|(current_)?loss_scale|(num_)?good_steps"
)
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_CONFIG, _VOCABULARY, _LABELS = "bert_config.json", "vocab.txt", "labels.txt"
_PREFIX = "bert_model.ckpt"
_ACTIVATION = "kbert_activation"
_EPSILON = 1e-12  # the code has no other


def read(path: Path) -> Checkpoint:
    """Understand a folder, or one checkpoint of it by its prefix.

    Raises:
        KbertError: a file is missing or malformed, or it is not clear which checkpoint
            is meant.
    """
    prefix = _only_prefix(path) if path.is_dir() else path
    folder = prefix.parent
    where = folder / _CONFIG
    fields = read_json_object(where)
    exact = fields.get(_ACTIVATION, "gelu")
    config = config_from_json(fields, where=where, activations={"gelu": exact})
    source = _open(prefix)
    units = {"masked_lm": config.vocabulary_size, "next_sentence": 2, "span": 2}
    classifier = source.entries.get("output_weights")
    if classifier is not None and classifier.shape:
        units["sequence_classifier"] = classifier.shape[0]
    labels, vocabulary = folder / _LABELS, folder / _VOCABULARY
    tokenizer = None
    if vocabulary.exists():
        tokenizer = TokenizerFiles(
            Vocabulary.from_file(vocabulary),
            read_flag(fields, "do_lower_case", where=where),
            read_flag(fields, "strip_accents", where=where),
            vocabulary,
        )
    return Checkpoint(
        config=config,
        tensors=source,
        table=_table,
        units=units,
        ignored=lambda name: _NO_WEIGHT.fullmatch(name) is not None,
        tokenizer=tokenizer,
        labels=read_labels(labels) if labels.exists() else (),
    )


def write(bert: Bert, folder: Path) -> None:
    """Fill a folder that Google's code reads.

    Raises:
        CheckpointError: Google's code could not compute the model.
    """
    _check_writable(bert)
    shapes = kbert_shapes(bert.config, head_units(bert), pooler=has_pooler(bert))
    _write_tensors(folder / _PREFIX, write_rows(_table(shapes), finite_arrays(bert)))
    # Google's code knows the name gelu only, for the form of its own time.
    fields = config_to_json(bert.config, activation="gelu")
    del fields["layer_norm_eps"]
    fields[_ACTIVATION] = bert.config.activation
    if bert.tokenizer is not None:
        bert.tokenizer.vocabulary.save(folder / _VOCABULARY)
        fields["do_lower_case"] = bert.tokenizer.lowercase
        fields["strip_accents"] = bert.tokenizer.strip_accents
    if bert.labels:
        write_labels(folder / _LABELS, bert.labels)
    io.write_json(folder / _CONFIG, fields)


def _table(shapes: dict[str, Shape]) -> list[Row]:
    return make_rows(_NAMES, shapes, _layout)


def _layout(name: str, shape: Shape) -> tuple[Shape, bool]:
    """Only the output weights of heads are stored as (out, in)."""
    theirs = _NAMES.get(name)
    if isinstance(theirs, str) and theirs.endswith("output_weights"):
        return shape[::-1], True
    return shape, False


def _only_prefix(folder: Path) -> Path:
    """The one checkpoint of a folder, or the one that its ``checkpoint`` file names."""
    names = sorted(path.name.removesuffix(".index") for path in folder.glob("*.index"))
    pointer = folder / "checkpoint"
    if len(names) > 1 and pointer.is_file():
        text = pointer.read_text("utf-8", errors="replace")
        pointed = re.search(r'^model_checkpoint_path:\s*("[^"\n]*")\s*$', text, re.M)
        if pointed is None:
            raise CheckpointError("names no model_checkpoint_path", where=pointer)
        try:
            name = json.loads(pointed[1])
        except ValueError as error:
            raise CheckpointError(f"{pointed[1]} is no name", where=pointer) from error
        return io.child(folder, name)
    if len(names) != 1:
        raise CheckpointError(
            f"{len(names)} checkpoints{': ' * bool(names)}{', '.join(names)}",
            where=folder,
            expected="one, or a file named checkpoint that says which",
            hint="Give the prefix of one, such as FOLDER/bert_model.ckpt."
            if names
            else None,
        )
    return folder / names[0]


def _open(prefix: Path) -> TensorSource:
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes = reader.get_variable_to_shape_map()
        dtypes = reader.get_variable_to_dtype_map()
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise _damaged(Path(f"{prefix}.index"), error) from error
    if _OBJECT_GRAPH in shapes:
        raise CheckpointError(
            "a TF2 object checkpoint",
            where=prefix,
            expected="a TF1 checkpoint, with the variable names of Google's BERT",
        )
    entries = {
        name: TensorInfo(dtypes[name].name, tuple(shapes[name]))
        for name in sorted(shapes)
    }
    _check_size(
        prefix,
        entries,
        sum(math.prod(shapes[name]) * dtypes[name].size for name in entries),
    )

    def read(name: str) -> np.ndarray:
        try:
            return np.asarray(reader.get_tensor(name))
        except (tf.errors.OpError, ValueError, RuntimeError) as error:
            raise _damaged(prefix, error, f"{name}: ") from error

    return TensorSource(prefix, entries, read)


def _check_size(prefix: Path, entries: dict[str, TensorInfo], expected: int) -> None:
    """Refuse an index that promises more than the data files can hold."""
    files = sorted(prefix.parent.glob(f"{prefix.name}.data-*-of-*"))
    if not files:
        raise CheckpointError(
            "no data file", where=prefix, expected=f"{prefix.name}.data-00000-of-00001"
        )
    size = sum(path.stat().st_size for path in files)
    if size < expected:
        raise CheckpointError(
            f"{size} bytes",
            where=files[0],
            expected=f"at least {expected} for {len(entries)} tensors, as in the index",
            hint="Copy it again from its source.",
        )


def _damaged(path: Path, error: Exception, what: str = "") -> CheckpointError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return CheckpointError(
        f"{what}cannot be read: {reason}",
        where=path,
        hint="Copy it again from its source.",
    )


def _check_writable(bert: Bert) -> None:
    problems = [
        f"head {name} has no name in Google's code"
        for name in bert.heads
        if name not in _HEADS
    ]
    if bert.config.layer_norm_epsilon != _EPSILON:
        problems.append(
            f"layer_norm_epsilon={bert.config.layer_norm_epsilon}, expected "
            f"{_EPSILON}, which Google's code computes with"
        )
    refuse(problems, "model for tf1", hint=LEAVE_OUT if bert.heads else None)


def _write_tensors(prefix: Path, tensors: dict[str, np.ndarray]) -> None:
    # The op itself: every class above it adds an object graph to the checkpoint.
    try:
        tf.raw_ops.SaveV2(
            prefix=str(prefix),
            tensor_names=list(tensors),
            shape_and_slices=[""] * len(tensors),
            tensors=list(tensors.values()),
        )
    except tf.errors.OpError as error:
        full = isinstance(error, tf.errors.ResourceExhaustedError)
        number = errno.ENOSPC if full else errno.EIO
        raise OSError(number, error.message) from error
