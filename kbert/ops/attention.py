"""Splitting into heads and back, and the softmax of attention."""

import functools
from collections.abc import Callable, Sequence

import keras
from keras import ops

from .backend import Tensor, in_cpu_graph, kernel, on_tensorflow
from .dropout import drop


def attention_probabilities(
    scores: Tensor, padding_mask: Tensor, *, training: bool
) -> Tensor:
    """Softmax of the scores over the tokens that are not padding.

    Args:
        scores: float ``[B, N, Q, T]``, scaled dot products.
        padding_mask: bool ``[B, T]``, true where a token stands.
        training: whether a gradient may be asked for.

    Returns:
        float ``[B, N, Q, T]`` of the dtype of ``scores``: 0 at padding. A row without
        any token gets the same weight everywhere, not NaN.
    """
    native = not training and in_cpu_graph()
    # oneDNN's softmax computes in float32 inside: a cast would only move bytes.
    dtype = keras.backend.standardize_dtype(scores.dtype if native else "float32")
    blocked = ops.cast(scores, dtype) + _blocking(padding_mask, dtype)
    return ops.cast(_softmax(blocked), scores.dtype)


def attention_dropout(
    scores: Tensor, padding_mask: Tensor, seed: Tensor, *, rate: float
) -> Tensor:
    """``dropout(attention_probabilities(scores))`` while training, in one pass.

    Args:
        scores: float ``[B, N, Q, T]``.
        padding_mask: bool ``[B, T]``, true where a token stands.
        seed: uint32 ``[2]`` of the dropout.
        rate: fraction of the probabilities dropped.

    Returns:
        float ``[B, N, Q, T]`` of the dtype of ``scores``.
    """
    return _attention_dropout(rate)(scores, padding_mask, seed)


def split_heads(
    x: Tensor, places: Tensor, *, parts: Sequence[str], num_heads: int, training: bool
) -> list[Tensor]:
    """Cut flat vectors into heads, ready for the two products of attention.

    Args:
        x: float ``[B·T, len(parts)·H]``.
        places: ``[B, T]``, only its shape is used.
        parts: what stands side by side in ``x``, of ``query``, ``key``, ``value``.
        num_heads: N; D = H / N.
        training: whether to make one kernel of it.

    Returns:
        for each part: ``query``, scaled by 1/√D, and ``value``: float ``[B, N, T, D]``;
        ``key``: float ``[B, N, D, T]``.
    """
    if not training:
        return _heads(x, places, parts, num_heads)
    return _split_heads(tuple(parts), num_heads)(x, places)


def merge_heads(x: Tensor) -> Tensor:
    """Float ``[B, N, T, D]`` → ``[B·T, N·D]``."""
    width = x.shape[1] * x.shape[3]
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, width))


def gather_rows(x: Tensor, positions: Tensor, places: Tensor) -> Tensor:
    """Pick some tokens of each text.

    Args:
        x: float ``[B·T, H]``.
        positions: int32 ``[B, P]``, in [0, T).
        places: ``[B, T]``, only its shape is used.

    Returns:
        float ``[B·P, H]``.
    """
    batch, length = ops.shape(places)
    first = ops.arange(batch, dtype="int32")[:, None] * length
    return ops.take(x, ops.reshape(positions + first, (-1,)), axis=0)


def _blocking(padding_mask: Tensor, dtype: str) -> Tensor:
    """What is added to the scores: ``[B, 1, 1, T]``, far below zero at padding."""
    blocked = ops.cast(-3e4 if dtype == "float16" else -1e9, dtype)
    free = ops.zeros((), dtype)
    return ops.where(padding_mask, free, blocked)[:, None, None, :]


def _softmax(x: Tensor) -> Tensor:
    if on_tensorflow():
        import tensorflow as tf

        # ops.softmax warns of a text of one token, where 1 is the right answer.
        return tf.nn.softmax(x)
    return ops.softmax(x)


# From [B, T, N, D], and back to it.
_ORDERS = {"query": (0, 2, 1, 3), "key": (0, 2, 3, 1), "value": (0, 2, 1, 3)}
_BACK = {"query": (0, 2, 1, 3), "key": (0, 3, 1, 2), "value": (0, 2, 1, 3)}


def _heads(
    x: Tensor, places: Tensor, parts: Sequence[str], num_heads: int
) -> list[Tensor]:
    depth = x.shape[-1] // len(parts) // num_heads
    shape = (*ops.shape(places), num_heads, depth)
    heads = [
        ops.transpose(ops.reshape(piece, shape), _ORDERS[part])
        for part, piece in zip(parts, ops.split(x, len(parts), axis=-1), strict=True)
    ]
    return [
        head * depth**-0.5 if part == "query" else head
        for part, head in zip(parts, heads, strict=True)
    ]


@functools.cache
def _split_heads(parts: tuple[str, ...], num_heads: int) -> Callable[..., list]:
    forward = kernel(lambda x, places: _heads(x, places, parts, num_heads))

    @kernel
    def backward(*upstream: Tensor) -> Tensor:
        pieces = []
        for part, slope in zip(parts, upstream, strict=True):
            piece = ops.transpose(slope, _BACK[part])  # [B, T, N, D]
            depth = piece.shape[-1]
            piece = piece * depth**-0.5 if part == "query" else piece
            pieces.append(ops.reshape(piece, (-1, num_heads * depth)))
        return ops.concatenate(pieces, axis=-1)

    def split_heads(x: Tensor, places: Tensor) -> list[Tensor]:
        @ops.custom_gradient
        def run(x: Tensor) -> list[Tensor]:
            # JAX hands over the slopes of all outputs as one list.
            return forward(x, places), lambda *upstream: backward(
                *keras.tree.flatten(upstream)
            )

        return run(x)

    return split_heads


@functools.cache
def _attention_dropout(rate: float) -> Callable[..., Tensor]:
    @kernel
    def forward(
        scores: Tensor, padding_mask: Tensor, seed: Tensor
    ) -> tuple[Tensor, Tensor]:
        wide = ops.cast(scores, "float32") + _blocking(padding_mask, "float32")
        weights = ops.cast(_softmax(wide), scores.dtype)
        return drop(weights, seed, rate), weights

    @kernel
    def backward(upstream: Tensor, weights: Tensor, seed: Tensor) -> Tensor:
        slope = ops.cast(drop(upstream, seed, rate), "float32")
        wide = ops.cast(weights, "float32")
        along = ops.sum(slope * wide, axis=-1, keepdims=True)
        return ops.cast(wide * (slope - along), weights.dtype)

    def attention_dropout(scores: Tensor, padding_mask: Tensor, seed: Tensor) -> Tensor:
        @ops.custom_gradient
        def run(scores: Tensor) -> Tensor:
            dropped, weights = forward(scores, padding_mask, seed)
            return dropped, lambda upstream: backward(upstream, weights, seed)

        return run(scores)

    return attention_dropout
