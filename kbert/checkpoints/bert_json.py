"""The JSON config of Google's BERT, which Hugging Face goes on with ↔ BertConfig."""

import os
from collections.abc import Mapping
from typing import Any

from ..config import Activation, BertConfig
from ..errors import ConfigError

_FIELDS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "dropout": "hidden_dropout_prob",
    "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
    "layer_norm_epsilon": "layer_norm_eps",
}
_REQUIRED = (
    "vocabulary_size",
    "num_layers",
    "num_heads",
    "hidden_dim",
    "intermediate_dim",
    "max_sequence_length",
)
# Other rates, which are the same one here; null or absent is the same one too.
_OTHER_DROPOUTS = ("attention_probs_dropout_prob", "classifier_dropout")
_ACTIVATION = "hidden_act"


def config_from_json(
    fields: Mapping[str, Any],
    *,
    where: str | os.PathLike[str],
    activations: Mapping[str, Activation],
) -> BertConfig:
    """Translate a config.

    Args:
        fields: what the file holds; what has nothing to do with sizes is not looked at.
        where: the file.
        activations: our name of each GELU form that the format has.

    Raises:
        ConfigError: a field is missing or out of range, the dropout rates differ,
            or the activation is an unknown one.
    """
    dropout = fields.get("hidden_dropout_prob", 0.1)
    for other in _OTHER_DROPOUTS:
        if fields.get(other) not in (None, dropout):
            raise ConfigError(
                f"{other}={fields[other]!r} and hidden_dropout_prob={dropout!r}",
                where=where,
                expected="the same rate",
                hint="Give both the same value: it only matters in training.",
            )
    name = fields.get(_ACTIVATION, "gelu")
    if not isinstance(name, str) or name not in activations:
        raise ConfigError(
            f"{_ACTIVATION}={name!r}",
            where=where,
            expected=f"one of {', '.join(activations)}",
        )
    known = {
        ours: fields[theirs] for ours, theirs in _FIELDS.items() if theirs in fields
    }
    missing = [
        theirs
        for ours, theirs in _FIELDS.items()
        if ours in _REQUIRED and theirs not in fields
    ]
    if missing:
        raise ConfigError(f"missing fields: {', '.join(missing)}", where=where)
    return BertConfig.from_dict({**known, "activation": activations[name]}, where=where)


def read_flag(
    fields: Mapping[str, Any], name: str, *, where: str | os.PathLike[str]
) -> bool | None:
    """A field that is true, false, or null or absent: ``None``.

    Raises:
        ConfigError: it is something else.
    """
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"{name}={value!r}", where=where, expected="true or false")
    return value


def config_to_json(config: BertConfig, *, activation: str) -> dict[str, Any]:
    """The fields of a file that gives ``config`` back.

    Args:
        config: what to write.
        activation: the format's name of its GELU form.
    """
    ours = config.to_dict()
    return {
        **{theirs: ours[name] for name, theirs in _FIELDS.items()},
        "attention_probs_dropout_prob": config.dropout,
        _ACTIVATION: activation,
    }
