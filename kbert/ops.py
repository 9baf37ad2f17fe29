"""Matrix products, GELU, softmax and layer normalisation, in the form that runs fast.

The only model code that looks at the backend. On TensorFlow it emits the exact forms
that oneDNN fuses on a CPU: flat 2-D matmul, then ``bias_add``, then GELU; and, where
no gradient is asked for, a normalisation that becomes one kernel. Everywhere else it
is ``keras.ops``. All forms give the same numbers to rounding.
"""

from typing import Any

import keras
from keras import ops

Tensor = Any  # a tensor of whichever backend, or a symbolic KerasTensor


def dense(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """``x @ kernel + bias`` for float ``[rows, in]`` → ``[rows, out]``."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # tf.add for the bias, or a 3-D x, is not fused and costs half of the speed.
        return tf.nn.bias_add(tf.matmul(x, kernel), bias)
    return ops.add(ops.matmul(x, kernel), bias)


def gelu(x: Tensor, *, approximate: bool) -> Tensor:
    """GELU, exact (erf) or by the tanh approximation; same shape and dtype as ``x``."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.nn.gelu(x, approximate=approximate)
    return keras.activations.gelu(x, approximate=approximate)


def layer_normalization(
    x: Tensor, gamma: Tensor, beta: Tensor, *, epsilon: float, training: bool
) -> Tensor:
    """Normalise each row of float ``[rows, H]``; statistics in float32, dtype kept."""
    if not training and _in_cpu_graph():
        return _fusible_layer_normalization(x, gamma, beta, epsilon)
    wide = ops.cast(x, "float32")
    centred = wide - ops.mean(wide, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
    scale = ops.rsqrt(variance + epsilon) * ops.cast(gamma, "float32")
    return ops.cast(centred * scale + ops.cast(beta, "float32"), x.dtype)


def _fusible_layer_normalization(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> Tensor:
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


def attention_probabilities(
    scores: Tensor, padding_mask: Tensor, *, training: bool
) -> Tensor:
    """Softmax of the scores over the tokens that are not padding.

    Args:
        scores: float ``[B, N, T, T]``, scaled dot products.
        padding_mask: bool ``[B, T]``, true where a token stands.
        training: whether a gradient may be asked for.

    Returns:
        float ``[B, N, T, T]`` of the dtype of ``scores``: 0 at padding. A row without
        any token gets the same weight everywhere, not NaN.
    """
    native = not training and _in_cpu_graph()
    # oneDNN's softmax computes in float32 inside: a cast would only move bytes.
    dtype = keras.backend.standardize_dtype(scores.dtype if native else "float32")
    blocked = ops.cast(-3e4 if dtype == "float16" else -1e9, dtype)
    free = ops.zeros((), dtype)
    bias = ops.where(padding_mask, free, blocked)[:, None, None, :]  # [B, 1, 1, T]
    return ops.cast(_softmax(ops.cast(scores, dtype) + bias), scores.dtype)


def _softmax(x: Tensor) -> Tensor:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # ops.softmax warns of a text of one token, where 1 is the right answer.
        return tf.nn.softmax(x)
    return ops.softmax(x)


def _in_cpu_graph() -> bool:
    """Whether TensorFlow is tracing a graph on a machine that has only CPUs."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.inside_function() and len(tf.config.list_logical_devices()) == len(
        tf.config.list_logical_devices("CPU")
    )
