"""A Hugging Face folder, ``config.json`` and safetensors ↔ the model.

Heads are told by ``architectures``. Those of token classification, question answering
and masked LM have no pooler; the model then has none either, and no ``pooled_output``.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import io
from ..config import Activation, read_json_object
from ..errors import CheckpointError, ConfigError
from ..model import Bert
from .assembly import (
    CLASSIFIERS,
    LEAVE_OUT,
    Checkpoint,
    StoreDtype,
    finite_arrays,
    has_pooler,
    head_units,
)
from .bert_json import config_from_json, config_to_json
from .huggingface_tokenizer import read_tokenizer, write_tokenizer
from .safetensors_files import open_safetensors, open_sharded, write_safetensors
from .tensors import Names, Shape, TensorSource, kbert_shapes, make_rows, write_rows

_ENCODER = {
    "embeddings/token": "embeddings.word_embeddings.weight",
    "embeddings/position": "embeddings.position_embeddings.weight",
    "embeddings/segment": "embeddings.token_type_embeddings.weight",
    "embeddings/layer_norm/gamma": "embeddings.LayerNorm.weight",
    "embeddings/layer_norm/beta": "embeddings.LayerNorm.bias",
    "layer_{}/attention/query_key_value/kernel": (
        "encoder.layer.{}.attention.self.query.weight",
        "encoder.layer.{}.attention.self.key.weight",
        "encoder.layer.{}.attention.self.value.weight",
    ),
    "layer_{}/attention/query_key_value/bias": (
        "encoder.layer.{}.attention.self.query.bias",
        "encoder.layer.{}.attention.self.key.bias",
        "encoder.layer.{}.attention.self.value.bias",
    ),
    "layer_{}/attention/output/kernel": (
        "encoder.layer.{}.attention.output.dense.weight"
    ),
    "layer_{}/attention/output/bias": "encoder.layer.{}.attention.output.dense.bias",
    "layer_{}/attention_layer_norm/gamma": (
        "encoder.layer.{}.attention.output.LayerNorm.weight"
    ),
    "layer_{}/attention_layer_norm/beta": (
        "encoder.layer.{}.attention.output.LayerNorm.bias"
    ),
    "layer_{}/intermediate/kernel": "encoder.layer.{}.intermediate.dense.weight",
    "layer_{}/intermediate/bias": "encoder.layer.{}.intermediate.dense.bias",
    "layer_{}/output/kernel": "encoder.layer.{}.output.dense.weight",
    "layer_{}/output/bias": "encoder.layer.{}.output.dense.bias",
    "layer_{}/output_layer_norm/gamma": "encoder.layer.{}.output.LayerNorm.weight",
    "layer_{}/output_layer_norm/beta": "encoder.layer.{}.output.LayerNorm.bias",
    "pooler/dense/kernel": "pooler.dense.weight",
    "pooler/dense/bias": "pooler.dense.bias",
}
_HEADS = {
    "masked_lm/transform/kernel": "cls.predictions.transform.dense.weight",
    "masked_lm/transform/bias": "cls.predictions.transform.dense.bias",
    "masked_lm/layer_norm/gamma": "cls.predictions.transform.LayerNorm.weight",
    "masked_lm/layer_norm/beta": "cls.predictions.transform.LayerNorm.bias",
    "masked_lm/bias": "cls.predictions.bias",
    "next_sentence/dense/kernel": "cls.seq_relationship.weight",
    "next_sentence/dense/bias": "cls.seq_relationship.bias",
    "span/dense/kernel": "qa_outputs.weight",
    "span/dense/bias": "qa_outputs.bias",
}
# Tensors that PyTorch stores twice, or under either name: (name it repeats, head).
_COPIES = {
    "cls.predictions.decoder.weight": (
        "embeddings.word_embeddings.weight",
        "masked_lm",
    ),
    "cls.predictions.decoder.bias": ("cls.predictions.bias", "masked_lm"),
}
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
_PREFIX = "bert."

# Class: its heads, and whether it has a pooler.
_ARCHITECTURES: dict[str, tuple[tuple[str, ...], bool]] = {
    "BertModel": ((), True),
    "BertForPreTraining": (("masked_lm", "next_sentence"), True),
    "BertForMaskedLM": (("masked_lm",), False),
    "BertForNextSentencePrediction": (("next_sentence",), True),
    "BertForSequenceClassification": (("sequence_classifier",), True),
    "BertForMultipleChoice": (("multiple_choice",), True),
    "BertForTokenClassification": (("token_classifier",), False),
    "BertForQuestionAnswering": (("span",), False),
}
_ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
}
# Fields that change what is computed, with the only values that are a plain BERT.
_PLAIN = {
    "model_type": (None, "bert"),
    "position_embedding_type": (None, "absolute"),
    "is_decoder": (None, False),
    "add_cross_attention": (None, False),
    "pruned_heads": (None, {}),
    "quantization_config": (None,),
}
_PLACEHOLDER = re.compile(r"LABEL_\d+")


def read(folder: Path) -> Checkpoint:
    """Understand a folder that ``save_pretrained`` wrote.

    Raises:
        KbertError: a file is missing or malformed, or the model is no plain BERT.
    """
    path = folder / "config.json"
    fields = read_json_object(path)
    for name, plain in _PLAIN.items():
        if fields.get(name) not in plain:
            raise ConfigError(
                f"{name}={fields[name]!r}",
                where=path,
                expected=f"{plain[-1]!r}: kbert reads plain BERT encoders",
            )
    config = config_from_json(fields, where=path, activations=_ACTIVATIONS)
    required, pooler = _architecture(fields, path)
    source = _standard(_open(folder))
    classes = _class_names(fields, path)
    names: dict[str, str | tuple[str, ...]] = {**_ENCODER, **_HEADS}
    for head in required:
        if head in (*CLASSIFIERS, "multiple_choice"):
            names |= _classifier(head)
    units = {head: len(classes) for head in CLASSIFIERS}
    units |= {"next_sentence": 2, "span": 2, "multiple_choice": 1}
    units["masked_lm"] = config.vocabulary_size
    placeholders = all(_PLACEHOLDER.fullmatch(name) for name in classes)
    return Checkpoint(
        config=config,
        tensors=source,
        table=lambda shapes: make_rows(names, shapes, _layout),
        units=units,
        required=frozenset(required),
        pooler=pooler,
        ignored=lambda name: name in _BUFFERS,
        copies={
            copy: place for copy, place in _COPIES.items() if place[0] in source.entries
        },
        tokenizer=read_tokenizer(folder, fields),
        labels=() if placeholders else classes,
    )


def write(bert: Bert, folder: Path, *, store_dtype: StoreDtype = "float32") -> None:
    """Fill a folder that ``from_pretrained`` reads.

    Raises:
        CheckpointError: no class of transformers has these heads together.
    """
    architecture = _architecture_of(bert)
    names: Names = {**_ENCODER, **_HEADS}
    for head in bert.heads:
        if f"{head}/dense/kernel" not in _HEADS and head != "masked_lm":
            names = {**names, **_classifier(head)}
    shapes = kbert_shapes(bert.config, head_units(bert), pooler=has_pooler(bert))
    rows = make_rows(names, shapes, _layout)
    tensors = write_rows(rows, finite_arrays(bert, store_dtype))
    if architecture != "BertModel":
        heads = tuple(
            name for key, name in names.items() if key.split("/")[0] in bert.heads
        )
        tensors = {
            name if name in heads else _PREFIX + name: array
            for name, array in tensors.items()
        }
    # transformers refuses a file that does not say which framework it is for.
    write_safetensors(folder / "model.safetensors", tensors, metadata={"format": "pt"})
    io.write_json(folder / "config.json", _config(bert, architecture))
    if bert.tokenizer is not None:
        write_tokenizer(
            bert.tokenizer, folder, max_length=bert.config.max_sequence_length
        )


def _classifier(head: str) -> dict[str, str]:
    return {
        f"{head}/dense/kernel": "classifier.weight",
        f"{head}/dense/bias": "classifier.bias",
    }


def _layout(name: str, shape: Shape) -> tuple[Shape, bool]:
    """PyTorch stores the kernel of a dense layer as (out, in)."""
    return (shape[::-1], True) if name.endswith("/kernel") else (shape, False)


def _architecture(
    fields: Mapping[str, Any], path: Path
) -> tuple[tuple[str, ...], bool]:
    names = fields.get("architectures") or ["BertModel"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            f"architectures={names!r}", where=path, expected="a list of class names"
        )
    return _ARCHITECTURES.get(names[0], _ARCHITECTURES["BertModel"])


def _architecture_of(bert: Bert) -> str:
    for name, (heads, _) in _ARCHITECTURES.items():
        if set(heads) == set(bert.heads):
            return name
    choices = [" + ".join(heads) for heads, _ in _ARCHITECTURES.values() if heads]
    raise CheckpointError(
        f"no class of transformers has the heads {' + '.join(bert.heads)}",
        expected=f"one of: {', '.join(choices)}",
        hint=LEAVE_OUT,
    )


def _open(folder: Path) -> TensorSource:
    single, index = (
        folder / name for name in ("model.safetensors", "model.safetensors.index.json")
    )
    if single.is_file():
        return open_safetensors(single)
    if index.is_file():
        return open_sharded(index)
    pickles = sorted(path.name for path in folder.glob("*.bin"))
    if pickles:
        raise CheckpointError(
            f"{pickles[0]} is a pickle, which can run any code; kbert never opens one",
            where=folder,
            expected="model.safetensors",
            hint="Convert it where you trust it: AutoModelForPreTraining"
            ".from_pretrained(FOLDER).save_pretrained(NEW) with transformers, or the "
            "class that config.json names.",
        )
    raise CheckpointError(
        "no weights", where=folder, expected="model.safetensors, or its index"
    )


def _standard(source: TensorSource) -> TensorSource:
    """One spelling for all: no ``bert.`` before, and ``weight`` for ``gamma``."""
    originals: dict[str, str] = {}
    for original in source.entries:
        name = original.removeprefix(_PREFIX)
        name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
        name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
        if name in originals:
            raise CheckpointError(
                f"{originals[name]} and {original} are one tensor", where=source.where
            )
        originals[name] = original
    for copy, (name, _) in _COPIES.items():
        if copy in originals and name not in originals:
            originals[name] = originals.pop(copy)
    return source.renamed(originals)


def _class_names(fields: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    names = fields.get("id2label")
    if names is None:
        count = fields.get("num_labels", 2)
        if type(count) is not int or count < 1:
            raise ConfigError(
                f"num_labels={count!r}", where=path, expected="a whole number above 0"
            )
        return tuple(f"LABEL_{number}" for number in range(count))
    numbers = isinstance(names, dict) and [str(i) for i in range(len(names))]
    if (
        not numbers
        or sorted(names) != sorted(numbers)
        or not all(isinstance(name, str) for name in names.values())
    ):
        raise ConfigError(
            f"id2label={names!r}",
            where=path,
            expected='an object of numbers from "0" and names',
        )
    return tuple(names[number] for number in numbers)


def _config(bert: Bert, architecture: str) -> dict[str, Any]:
    activation = next(
        theirs
        for theirs, ours in _ACTIVATIONS.items()
        if ours == bert.config.activation
    )
    fields = {
        "architectures": [architecture],
        "model_type": "bert",
        **config_to_json(bert.config, activation=activation),
        "position_embedding_type": "absolute",
        "pad_token_id": bert.tokenizer.vocabulary.pad_id if bert.tokenizer else 0,
        "dtype": "float32",
    }
    for head in CLASSIFIERS:
        if head in bert.heads:
            count = bert.heads[head].units
            names = bert.labels or [f"LABEL_{number}" for number in range(count)]
            fields["id2label"] = {str(i): name for i, name in enumerate(names)}
            fields["label2id"] = {name: i for i, name in enumerate(names)}
    return fields
