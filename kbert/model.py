"""A model directory in memory: config, tokenizer, encoder, heads, labels."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from .config import BertConfig
from .encoder import build_encoder
from .heads import build_head
from .tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True)
class Bert:
    """A BERT with all that belongs to it; ``kbert.load`` gives one.

    Args:
        config: sizes of the encoder.
        encoder: functional model, see ``kbert.build_encoder``.
        tokenizer: text to the encoder's inputs; ``None`` if the source had no
            vocabulary.
        heads: output layers by name, see ``kbert.heads.HEADS``.
        labels: names of the classes of the classifier head, in order.
        training: what ``training.json`` says: settings, seeds, metrics, versions.
    """

    config: BertConfig
    encoder: keras.Model
    tokenizer: Tokenizer | None = None
    heads: Mapping[str, keras.layers.Layer] = dataclasses.field(default_factory=dict)
    labels: tuple[str, ...] = ()
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def new_bert(
    config: BertConfig,
    *,
    heads: Sequence[str] = (),
    tokenizer: Tokenizer | None = None,
    dtype: str | None = None,
) -> Bert:
    """A BERT with random weights, to pretrain.

    Args:
        config: its sizes.
        heads: names out of ``kbert.heads.HEADS``.
        tokenizer: of its text.
        dtype: Keras dtype policy, such as ``"mixed_bfloat16"``.

    Raises:
        ConfigError: no head has such a name.
    """
    encoder = build_encoder(config, dtype=dtype)
    layers = {name: build_head(name, encoder, config) for name in heads}
    return Bert(config, encoder, tokenizer, layers)


def with_heads(
    bert: Bert, units: Mapping[str, int], *, labels: Sequence[str] = ()
) -> Bert:
    """The same encoder with new heads, of random weights, and no others.

    Args:
        bert: whose encoder and tokenizer are shared.
        units: classes of each head, by names out of ``kbert.heads.HEADS``.
        labels: names of the classes.

    Raises:
        ConfigError: no head has such a name.

    Example:
        >>> bert = kbert.with_heads(kbert.load("MODEL"), {"sequence_classifier": 2})
    """
    heads = {
        name: build_head(name, bert.encoder, bert.config, units=count)
        for name, count in units.items()
    }
    return Bert(bert.config, bert.encoder, bert.tokenizer, heads, tuple(labels))


def model_variables(bert: Bert) -> dict[str, keras.Variable]:
    """Every weight of the encoder and the heads, by its path, each one once.

    The paths, such as ``layer_1/attention/query_key_value/kernel`` or
    ``masked_lm/bias``, are the tensor names of ``model.safetensors``.
    """
    layers = [*bert.encoder.layers, *bert.heads.values()]
    weights = [weight for layer in layers for weight in layer.weights]
    return {weight.path: weight for weight in weights}
