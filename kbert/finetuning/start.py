"""What fine-tuning begins with: a model and a task → the model with the task's head."""

import dataclasses
import os
from collections.abc import Mapping

from ..checkpoints import load
from ..config import HEADS, BertConfig
from ..encoder import build_encoder
from ..errors import CheckpointError, ConfigError
from ..model import Bert, model_variables, with_heads
from ..tasks import Task
from .settings import FineTuningSettings


def starting_model(
    source: str | os.PathLike[str],
    task: Task,
    settings: FineTuningSettings,
    *,
    dtype: str,
) -> Bert:
    """The weights of a model, and a head of random ones.

    A head of the same task and labels is kept: so training goes on with other data.

    Args:
        source: see ``kbert.load``.
        task: that knows its labels.
        settings: which layers begin anew, and how much is dropped out.
        dtype: Keras dtype policy.

    Returns:
        A model with no other heads. Its layers drop out what the settings say; its
        config is that of the source.

    Raises:
        CheckpointError: the model has no tokenizer, or no pooler where one is read.
        ConfigError: the settings do not fit the model.
    """
    old = load(source, dtype=dtype)
    _check_layers(settings, old.config)
    read = HEADS[task.head] == "pooled"
    has_pooler = "pooled_output" in old.encoder.output
    anew = settings.reinitialize_layers > 0
    if old.tokenizer is None:
        raise CheckpointError("has no vocabulary, so it cannot read text", where=source)
    if read and not has_pooler and not anew:
        raise CheckpointError(
            f"has no pooler, which the head {task.head} reads",
            where=source,
            hint="Choose another model, or --reinitialize-layers 1, which makes a new "
            "pooler too.",
        )
    config = _with_dropout(old.config, settings.dropout)
    # One that is not read stays for what is trained next; a random one would be none.
    pooler = read or (has_pooler and not anew)
    encoder = build_encoder(config, pooler=pooler, dtype=dtype)
    units = dict.fromkeys(heads_of(task), task.units)
    new = with_heads(
        Bert(config, encoder, old.tokenizer), units, labels=tuple(task.labels)
    )
    _copy(old, new, fresh=_fresh_parts(old, new, settings.reinitialize_layers))
    if task.loss == "crf":
        task.restrict(new.heads["crf"])
    return dataclasses.replace(new, config=old.config)


def heads_of(task: Task) -> tuple[str, ...]:
    """The heads that a task's model has."""
    return (task.head, "crf") if task.loss == "crf" else (task.head,)


def freeze(bert: Bert, layers: int) -> None:
    """Leave the embeddings and the first layers out of training; none if 0."""
    names = ["embeddings", *(f"layer_{one}" for one in range(1, layers + 1))]
    for name in names if layers else ():
        bert.encoder.get_layer(name).trainable = False


def rate_factors(config: BertConfig, layer_decay: float) -> Mapping[str, float]:
    """The learning rate of each layer, by that of the head, for ``kbert.AdamW``.

    Source:
        Of the CRF: bert4keras, ``ConditionalRandomField``, ``lr_multiplier``. Differs:
        100, there up to 1000.
    """
    # Its few scores begin at 0, and would hardly move in as many steps as the encoder
    # takes. Of 1, 100 and 1000 the first was worst, by 2 points of F1, with kbert-mini
    # on 2,500 sentences of CoNLL-2003; larger models were not tried.
    factors = {"crf": 100.0}
    if layer_decay == 1:
        return factors
    depths = {"embeddings": 0}
    depths |= {f"layer_{one}": one for one in range(1, config.num_layers + 1)}
    top = config.num_layers + 1
    decayed = {name: layer_decay ** (top - depth) for name, depth in depths.items()}
    return factors | decayed


def longest_row(
    settings: FineTuningSettings, bert: Bert, *, where: str | os.PathLike[str]
) -> int:
    """Most tokens of a row.

    Raises:
        ConfigError: the model takes less.
    """
    longest = bert.config.max_sequence_length
    if settings.max_length is not None and settings.max_length > longest:
        raise ConfigError(
            f"max_length={settings.max_length}",
            where=where,
            expected=f"at most max_sequence_length of the model, {longest}",
        )
    return settings.max_length or longest


def _fresh_parts(old: Bert, new: Bert, reinitialized: int) -> set[str]:
    """The layers and heads that keep their random weights."""
    same = old.labels == new.labels and not reinitialized
    heads = {
        name
        for name, head in new.heads.items()
        if not (same and name in old.heads and old.heads[name].units == head.units)
    }
    top = new.config.num_layers
    layers = {f"layer_{top - one}" for one in range(reinitialized)}
    return heads | layers | ({"pooler"} if reinitialized else set())


def _copy(old: Bert, new: Bert, *, fresh: set[str]) -> None:
    own = model_variables(old)
    for path, variable in model_variables(new).items():
        if path.partition("/")[0] not in fresh:
            variable.assign(own[path])


def _with_dropout(config: BertConfig, dropout: float | None) -> BertConfig:
    if dropout is None:
        return config
    return BertConfig.from_dict({**config.to_dict(), "dropout": dropout})


def _check_layers(settings: FineTuningSettings, config: BertConfig) -> None:
    frozen, anew = settings.freeze_layers, settings.reinitialize_layers
    if frozen + anew > config.num_layers:
        raise ConfigError(
            f"freeze_layers={frozen} with reinitialize_layers={anew}",
            expected=f"at most the {config.num_layers} layers of the model together",
        )
