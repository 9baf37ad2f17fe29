"""Layer normalisation: a chain that fuses for inference, one kernel for training."""

import functools
from collections.abc import Callable

from keras import ops

from .backend import Tensor, as_tensor, in_cpu_graph, kernel
from .dropout import drop


def layer_normalization(
    x: Tensor, gamma: Tensor, beta: Tensor, *, epsilon: float, training: bool
) -> Tensor:
    """Normalise each row of float ``[rows, H]``; statistics in float32, dtype kept."""
    if not training and in_cpu_graph():
        return _fusible(x, gamma, beta, epsilon)
    return _normalized(*_centred(x, epsilon), gamma, beta, x.dtype)


def add_and_normalize(
    x: Tensor,
    residual: Tensor,
    gamma: Tensor,
    beta: Tensor,
    seed: Tensor,
    *,
    rate: float,
    epsilon: float,
) -> Tensor:
    """``layer_normalization(residual + dropout(x))`` while training, in one pass.

    Args:
        x, residual: float ``[rows, H]``.
        gamma, beta: float32 ``[H]``.
        seed: uint32 ``[2]`` of the dropout.
        rate: fraction of ``x`` dropped.
        epsilon: added to the variance.

    Returns:
        float ``[rows, H]`` of the dtype of ``x``.
    """
    run = _add_and_normalize(rate, epsilon)
    return run(x, residual, as_tensor(gamma), as_tensor(beta), seed)


def _centred(x: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Rows minus their mean, and one over their standard deviation, in float32."""
    wide = ops.cast(x, "float32")
    centred = wide - ops.mean(wide, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
    return centred, ops.rsqrt(variance + epsilon)


def _normalized(
    centred: Tensor, inverse: Tensor, gamma: Tensor, beta: Tensor, dtype: str
) -> Tensor:
    scale = inverse * ops.cast(gamma, "float32")
    return ops.cast(centred * scale + ops.cast(beta, "float32"), dtype)


@functools.cache
def _add_and_normalize(rate: float, epsilon: float) -> Callable[..., Tensor]:
    @kernel
    def forward(
        x: Tensor, residual: Tensor, gamma: Tensor, beta: Tensor, seed: Tensor
    ) -> tuple[Tensor, Tensor]:
        total = residual + drop(x, seed, rate)
        return _normalized(*_centred(total, epsilon), gamma, beta, x.dtype), total

    @kernel
    def backward(
        upstream: Tensor, total: Tensor, gamma: Tensor, seed: Tensor
    ) -> tuple[Tensor, ...]:
        centred, inverse = _centred(total, epsilon)
        unit, wide = centred * inverse, ops.cast(upstream, "float32")
        slope = wide * gamma
        mean = ops.mean(slope, axis=-1, keepdims=True)
        along = ops.mean(slope * unit, axis=-1, keepdims=True)
        residual = ops.cast(inverse * (slope - mean - unit * along), total.dtype)
        gammas, betas = ops.sum(wide * unit, axis=0), ops.sum(wide, axis=0)
        return drop(residual, seed, rate), residual, gammas, betas

    def add_and_normalize(
        x: Tensor, residual: Tensor, gamma: Tensor, beta: Tensor, seed: Tensor
    ) -> Tensor:
        @ops.custom_gradient
        def run(x: Tensor, residual: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
            y, total = forward(x, residual, gamma, beta, seed)
            return y, lambda upstream: backward(upstream, total, gamma, seed)

        return run(x, residual, gamma, beta)

    return add_and_normalize


def _fusible(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    # Grappler replaces this chain by one oneDNN kernel, four times as fast as the
    # elementwise form. oneDNN keeps the statistics in float32 whatever the dtype of x.
    import tensorflow as tf

    rows, width = tf.shape(x)[0], x.shape[-1]
    normalised, _, _ = tf.compat.v1.nn.fused_batch_norm(
        tf.reshape(x, [1, rows, width, 1]),
        scale=tf.ones([rows]),
        offset=tf.zeros([rows]),
        epsilon=epsilon,
        data_format="NCHW",
    )
    normalised = tf.reshape(normalised, [rows, width])
    return normalised * tf.cast(gamma, x.dtype) + tf.cast(beta, x.dtype)
