"""What a user hands in as texts → a string tensor, or an error that says what to do."""

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ..errors import InputError

# Stands for half of a surrogate pair, which UTF-8 cannot hold: no character either, so
# it is treated as the original treats the half.
_STAND_IN = "\U0010ffff"


def to_strings(texts: Any, name: str) -> tf.Tensor | list[str | bytes]:
    """Check one batch of texts: a string tensor ``[B]``, or the list of its texts.

    Args:
        texts: string tensor ``[B]`` or an iterable of str.
        name: what the caller calls it, for errors.

    Raises:
        InputError: one text alone, or something that is not text.
    """
    if isinstance(texts, tf.Tensor):
        return _checked_tensor(texts, name)
    if isinstance(texts, str | bytes):
        raise InputError(
            f"{name} is one {type(texts).__name__}",
            expected="a list of str",
            hint=f"Put it in a list: [{name}].",
        )
    if isinstance(texts, Mapping | tf.RaggedTensor) or not isinstance(texts, Iterable):
        kind = type(texts).__name__
        raise InputError(f"{name} is of type {kind}", expected="a list of str")
    texts = texts.tolist() if hasattr(texts, "tolist") else list(texts)
    if set(map(type, texts)) <= {str}:
        return texts
    for number, text in enumerate(texts):
        if not isinstance(text, str | bytes):
            raise InputError(
                f"{name}[{number}] is {text!r:.50}, of type {type(text).__name__}",
                expected="str",
                hint="Words of a text go to tokenize_words."
                if isinstance(text, list | tuple)
                else 'Replace what is missing by "".',
            )
    return texts


def to_flat_words(words: Any) -> tuple[tf.Tensor | list[str | bytes], tf.Tensor]:
    """Check a batch of word lists: all words, and int64 ``[B + 1]``, where rows begin.

    Raises:
        InputError: not a list of lists of str.
    """
    if isinstance(words, tf.RaggedTensor) and words.shape.rank == 2:
        return words.values, tf.cast(words.row_splits, tf.int64)
    if isinstance(words, str | bytes | Mapping | tf.Tensor) or not isinstance(
        words, Iterable
    ):
        raise InputError(
            f"words is of type {type(words).__name__}",
            expected="a list of lists of str",
        )
    rows = [to_strings(row, f"words[{number}]") for number, row in enumerate(words)]
    flat = [word for row in rows for word in row]
    splits = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return flat, tf.constant(splits)


def to_rows(token_ids: Any) -> list[list[int]]:
    """Check rows of ids, dense, ragged or lists: lists of int.

    Raises:
        InputError: not two-dimensional, or not whole numbers.
    """
    if isinstance(token_ids, tf.RaggedTensor):
        token_ids = token_ids.to_list()
    elif hasattr(token_ids, "numpy"):
        token_ids = token_ids.numpy()
    try:
        return [[operator.index(one) for one in row] for row in token_ids]
    except TypeError:
        raise InputError(
            f"token_ids is {token_ids!r:.50}",
            expected="rows of whole numbers",
            hint="Put one row in a list: [token_ids].",
        ) from None


def _checked_tensor(texts: tf.Tensor, name: str) -> tf.Tensor:
    if texts.dtype != tf.string:
        raise InputError(f"{name} is a tensor of {texts.dtype.name}", expected="string")
    if texts.shape.rank == 0:
        raise InputError(
            f"{name} is one string",
            expected="a tensor of shape [B]",
            hint="Batch the data set first, or expand the tensor: text[None].",
        )
    if texts.shape.rank not in (1, None):
        raise InputError(f"{name} has shape {texts.shape}", expected="[B]")
    return tf.ensure_shape(texts, [None])


def to_tensor(texts: list[str | bytes]) -> tf.Tensor:
    """string ``[B]``, UTF-8, of a list of texts."""
    with tf.device("CPU:0"):
        try:
            return tf.constant(texts, tf.string, shape=[len(texts)])
        except ValueError:  # a character that UTF-8 cannot hold
            return tf.constant([_encodable(text) for text in texts], tf.string)


def _encodable(text: str | bytes) -> str | bytes:
    if isinstance(text, bytes):
        return text
    return "".join(_STAND_IN if "\ud800" <= char <= "\udfff" else char for char in text)
