"""What a run begins with: a size, a JSON file or an older model → a ``Bert``."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from ..checkpoints import extend_vocabulary, load
from ..config import SIZES, BertConfig, read_json_object
from ..encoder import build_encoder
from ..errors import ConfigError
from ..heads import build_head
from ..masking import MaskingSettings
from ..model import Bert, model_variables, new_bert
from ..pretraining_data import PretrainingData
from ..tokenizer import Tokenizer
from ..vocabulary import Vocabulary
from .settings import PretrainingSettings


def starting_model(
    config: str | os.PathLike[str] | BertConfig,
    data: PretrainingData,
    *,
    dtype: str,
    dropout: float | None,
) -> Bert:
    """A model with the heads that the data's objective needs.

    Args:
        config: a size (``tiny`` … ``large``) or a config, for random weights; a JSON
            file of a config, which may leave out ``vocabulary_size``; or a model to
            continue from, whose vocabulary the data's has to be, or to begin with.
        data: whose vocabulary and objective count.
        dtype: Keras dtype policy.
        dropout: while training, instead of the config's.

    Raises:
        ConfigError: it is nothing of these, or does not fit the data.
    """
    heads = ("masked_lm",)
    if data.objective != "none":
        heads += ("next_sentence",)
    if is_model(config):
        bert = _continued(config, data, heads, dtype)
        return bert if dropout is None else _with_dropout(bert, dropout, dtype)
    chosen = _config(config, data)
    layers = chosen if dropout is None else _changed(chosen, dropout)
    bert = new_bert(layers, heads=heads, tokenizer=_tokenizer(data), dtype=dtype)
    return dataclasses.replace(bert, config=chosen)


def _changed(config: BertConfig, dropout: float) -> BertConfig:
    return BertConfig.from_dict({**config.to_dict(), "dropout": dropout})


def _with_dropout(bert: Bert, dropout: float, dtype: str) -> Bert:
    """The same weights in layers that drop out another share; the config stays."""
    config = _changed(bert.config, dropout)
    pooler = "pooled_output" in bert.encoder.output
    encoder = build_encoder(config, pooler=pooler, dtype=dtype)
    heads = {name: build_head(name, encoder, config) for name in bert.heads}
    other = dataclasses.replace(bert, encoder=encoder, heads=heads)
    own = model_variables(bert)
    for path, variable in model_variables(other).items():
        variable.assign(own[path])
    return other


def check_phases(settings: PretrainingSettings, data: PretrainingData) -> None:
    """Raise ``ConfigError`` if a phase has no data, or fewer shards than streams."""
    for phase in settings.phases:
        shards = len(data.shards(phase.length))
        if shards < settings.streams:
            raise ConfigError(
                f"streams={settings.streams} with {shards} shards of length "
                f"{phase.length}",
                where=data.path,
                expected="at least one shard for each stream",
                hint="Make the data with more shards, or train on fewer hosts.",
            )


def check_masking(settings: PretrainingSettings, data: PretrainingData) -> None:
    """Raise ``ConfigError`` if something is to be masked where the data is already."""
    if data.static_masks and settings.masking != MaskingSettings():
        raise ConfigError(
            "its rows hold their masks, so no others can be drawn",
            where=data.path,
            expected="no options of masking",
            hint="Make the data without --static-masks to choose masks here.",
        )


def check_lengths(bert: Bert, lengths: Sequence[int], *, where: Path) -> None:
    """Raise ``ConfigError`` if a phase is longer than the model takes."""
    longest = bert.config.max_sequence_length
    if max(lengths) > longest:
        raise ConfigError(
            f"rows of {max(lengths)} tokens",
            where=where,
            expected=f"at most max_sequence_length, {longest}",
        )


def is_model(config: str | os.PathLike[str] | BertConfig) -> bool:
    """Whether that is a model to continue from, and no size or config."""
    if isinstance(config, BertConfig) or config in SIZES:
        return False
    return Path(config).suffix != ".json"


def _config(
    config: str | os.PathLike[str] | BertConfig, data: PretrainingData
) -> BertConfig:
    words = data.vocabulary
    if isinstance(config, str) and config in SIZES:
        if words is None:
            raise ConfigError("no vocab.txt says how many words", where=data.path)
        return BertConfig.from_size(config, vocabulary_size=len(words))
    where = None
    if not isinstance(config, BertConfig):
        fields, where = read_json_object(config), config
        if words is not None:
            fields.setdefault("vocabulary_size", len(words))
        config = BertConfig.from_dict(fields, where=where)
    if words is not None:
        _check_size(config, words, where=where, data=data)
    return config


def _check_size(
    config: BertConfig,
    words: Vocabulary,
    *,
    where: str | os.PathLike[str] | None,
    data: PretrainingData,
) -> None:
    if config.vocabulary_size != len(words):
        raise ConfigError(
            f"vocabulary_size={config.vocabulary_size}",
            where=where,
            expected=f"{len(words)}, as in {data.path}",
        )


def _check_folding(
    tokenizer: Tokenizer, data: PretrainingData, source: str | os.PathLike[str]
) -> None:
    """Raise ``ConfigError`` if the data's text was not read as the model reads it."""
    if data.lowercase is None:
        return
    made, own = _folding(_tokenizer(data)), _folding(tokenizer)
    if made != own:
        raise ConfigError(
            f"made with {made}",
            where=data.path,
            expected=f"{own}, as {os.fspath(source)} reads text",
            hint="Make the data anew (lowercase and strip_accents in Python).",
        )


def _folding(tokenizer: Tokenizer) -> str:
    """What makes data as it reads text, as ``kbert create-pretraining-data`` has it."""
    case = "--uncased" if tokenizer.lowercase else "--cased"
    accents = "--strip-accents" if tokenizer.strip_accents else "--keep-accents"
    return f"{case} {accents}"


def _tokenizer(data: PretrainingData) -> Tokenizer | None:
    """The one that made the data; of Google's, which do not say, the likeliest."""
    if data.vocabulary is None:
        return None
    lowercase = data.lowercase
    if lowercase is None:
        lowercase = not data.vocabulary.is_cased
    return Tokenizer(data.vocabulary, lowercase, strip_accents=data.strip_accents)


def _continued(
    source: str | os.PathLike[str],
    data: PretrainingData,
    heads: Sequence[str],
    dtype: str,
) -> Bert:
    bert = load(source, dtype=dtype)
    words = data.vocabulary
    if bert.tokenizer is not None and words is not None:
        own = bert.tokenizer.vocabulary
        if own.tokens != words.tokens:
            if words.tokens[: len(own)] != own.tokens:
                raise ConfigError(
                    f"its vocabulary is not the beginning of that of {source}",
                    where=data.path,
                    hint="Make the data with the model's vocab.txt, or one that "
                    "kbert build-vocab --extend made of it.",
                )
            bert = extend_vocabulary(bert, words)
        _check_folding(bert.tokenizer, data, source)
    elif words is not None:
        _check_size(bert.config, words, where=source, data=data)
        bert = dataclasses.replace(bert, tokenizer=_tokenizer(data))
    layers = {
        name: bert.heads[name]
        if name in bert.heads
        else build_head(name, bert.encoder, bert.config)
        for name in heads
    }
    if "next_sentence" in heads and "pooled_output" not in bert.encoder.output:
        raise ConfigError(
            "has no pooler, which the next sentence is predicted from",
            where=source,
            hint="Make the data with --objective none.",
        )
    return Bert(bert.config, bert.encoder, bert.tokenizer, layers)
