"""A model + a vocabulary that goes on after its own → the same model with more rows."""

import dataclasses

import keras
import numpy as np

from ..encoder import build_encoder
from ..errors import CheckpointError, InputError
from ..heads import build_head
from ..model import Bert, model_variables
from ..tokenizer import Tokenizer
from ..vocabulary import CONTINUATION, Vocabulary
from .assembly import has_pooler, head_units

_TABLE, _BIAS = "embeddings/token", "masked_lm/bias"
_STDDEV = 0.02  # as the original draws its embeddings


def extend_vocabulary(bert: Bert, vocabulary: Vocabulary, *, seed: int = 0) -> Bert:
    """Give a model the rows that a longer vocabulary needs, for continued pretraining.

    The row of a new token, and its bias in the masked-LM head, are the means of those
    of the pieces that the old vocabulary makes of it, so that the model begins with a
    fair guess. A token with a character that the old vocabulary lacks gets a truncated
    normal row of standard deviation 0.02 and the bias 0, as in a fresh model.

    Args:
        bert: the model; it stays as it is.
        vocabulary: begins with all tokens of the model's, in order, as from
            ``kbert.build_vocabulary(…, extend=…)``.
        seed: of the random rows.

    Returns:
        A new model. All weights of the old one, the rows of its tokens among them, are
        bit for bit the same; rows of its table that no token had are dropped.

    Raises:
        CheckpointError: the model has no vocabulary.
        InputError: ``vocabulary`` does not begin with the model's.

    Example:
        >>> old = kbert.load("MODEL")  # doctest: +SKIP
        >>> tokens = kbert.Vocabulary.from_file("longer.txt")  # doctest: +SKIP
        >>> new = kbert.extend_vocabulary(old, tokens)  # doctest: +SKIP
    """
    old = _checked(bert, vocabulary)
    config = dataclasses.replace(bert.config, vocabulary_size=len(vocabulary))
    encoder = build_encoder(
        config,
        attention_weights="attention_weights" in bert.encoder.output,
        pooler=has_pooler(bert),
        dtype=bert.encoder.get_layer("embeddings").dtype_policy,
    )
    heads = {
        name: build_head(name, encoder, config, units=units)
        for name, units in head_units(bert).items()
    }
    tokenizer = Tokenizer(
        vocabulary, bert.tokenizer.lowercase, strip_accents=bert.tokenizer.strip_accents
    )
    new = dataclasses.replace(
        bert, config=config, encoder=encoder, heads=heads, tokenizer=tokenizer
    )
    added = vocabulary.tokens[len(old) :]
    pieces = [_pieces(token, old.ids) for token in added]
    before = model_variables(bert)
    for name, variable in model_variables(new).items():
        value = keras.ops.convert_to_numpy(before[name])
        if name in (_TABLE, _BIAS):
            random = _random_rows(len(added), value.shape[1:], seed=seed)
            value = _grown(value[: len(old)], pieces, random)
        variable.assign(value)
    return new


def _checked(bert: Bert, vocabulary: Vocabulary) -> Vocabulary:
    """The old vocabulary."""
    if bert.tokenizer is None:
        raise CheckpointError("the model has no vocabulary to extend")
    old = bert.tokenizer.vocabulary
    for line, token in enumerate(old.tokens, 1):
        found = vocabulary.tokens[line - 1] if line <= len(vocabulary) else None
        if found != token:
            raise InputError(
                "the vocabulary ends" if found is None else f"token {found!r}",
                where="vocabulary",
                line=line,
                expected=f"{token!r}, as in the model",
                hint="Build it with: kbert build-vocab … --extend MODEL/vocab.txt.",
            )
    return old


def _pieces(token: str, ids: dict[str, int]) -> list[int]:
    """What the old vocabulary makes of a new token; nothing if it cannot."""
    found, rest = [], token
    while rest not in ("", CONTINUATION):
        end = len(rest)
        while end and rest[:end] not in ids:
            end -= 1
        if rest[:end] in ("", CONTINUATION):
            return []
        found.append(ids[rest[:end]])
        rest = CONTINUATION + rest[end:]
    return found


def _random_rows(count: int, shape: tuple[int, ...], *, seed: int) -> np.ndarray:
    """float32 ``[count, …]``: truncated normal rows of a table, zeros of a bias."""
    if not shape:
        return np.zeros(count, np.float32)
    initializer = keras.initializers.TruncatedNormal(stddev=_STDDEV, seed=seed)
    return keras.ops.convert_to_numpy(initializer((count, *shape), dtype="float32"))


def _grown(rows: np.ndarray, pieces: list[list[int]], random: np.ndarray) -> np.ndarray:
    added = [
        rows[ids].mean(axis=0) if ids else row
        for ids, row in zip(pieces, random, strict=True)
    ]
    return np.concatenate([rows, np.asarray(added, rows.dtype).reshape(random.shape)])
