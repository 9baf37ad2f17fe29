"""Matrix product with bias, and GELU, in the form that runs fast."""

import functools
import math
from collections.abc import Callable

import keras
from keras import ops

from .backend import Tensor, as_tensor, kernel, on_tensorflow


def dense(x: Tensor, kernel: Tensor, bias: Tensor, *, training: bool = False) -> Tensor:
    """``x @ kernel + bias`` for float ``[rows, in]`` → ``[rows, out]``.

    ``training`` sums the slope of the bias in float32; without it the op stays one that
    a frozen graph can fuse with what follows.
    """
    if not on_tensorflow():
        return ops.add(ops.matmul(x, kernel), bias)
    if training:
        return _dense_with_slopes(x, as_tensor(kernel), as_tensor(bias))
    return _dense(x, kernel, bias)


def _dense(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    import tensorflow as tf

    # tf.add for the bias, or a 3-D x, is not fused and costs half of the speed.
    return tf.nn.bias_add(tf.matmul(x, kernel), bias)


@ops.custom_gradient
def _dense_with_slopes(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    import tensorflow as tf

    def backward(upstream: Tensor) -> tuple[Tensor, ...]:
        # TensorFlow's own slope of a bias adds up bfloat16 in bfloat16, which was a
        # quarter off for 8,192 rows. A product sums in float32, in half of the time.
        ones = tf.ones([1, tf.shape(upstream)[0]], upstream.dtype)
        return (
            tf.matmul(upstream, kernel, transpose_b=True),
            tf.matmul(x, upstream, transpose_a=True),
            tf.matmul(ones, upstream)[0],
        )

    return _dense(x, kernel, bias), backward


def gelu(x: Tensor, *, approximate: bool, training: bool = False) -> Tensor:
    """GELU, exact (erf) or by the tanh approximation; same shape and dtype as ``x``.

    ``training`` computes the slope in the same pass as the value, in float32, and keeps
    it for the gradient; without it the op stays one that a frozen graph can fuse.

    Source:
        Hendrycks and Gimpel 2016, arXiv:1606.08415. Differs: nothing.
    """
    if training:
        return _gelu_with_slope(approximate)(x)
    if on_tensorflow():
        import tensorflow as tf

        return tf.nn.gelu(x, approximate=approximate)
    return keras.activations.gelu(x, approximate=approximate)


@functools.cache
def _gelu_with_slope(approximate: bool) -> Callable[[Tensor], Tensor]:
    both = kernel(_tanh_form if approximate else _erf_form)

    @ops.custom_gradient
    def gelu(x: Tensor) -> Tensor:
        y, slope = both(x)
        return y, lambda upstream: upstream * slope

    return gelu


def _erf_form(x: Tensor) -> tuple[Tensor, Tensor]:
    wide = ops.cast(x, "float32")
    share = 0.5 * (1 + ops.erf(wide * math.sqrt(0.5)))
    density = ops.exp(-0.5 * wide * wide) * (1 / math.sqrt(2 * math.pi))
    return ops.cast(wide * share, x.dtype), ops.cast(share + wide * density, x.dtype)


def _tanh_form(x: Tensor) -> tuple[Tensor, Tensor]:
    wide = ops.cast(x, "float32")
    factor, cubic = math.sqrt(2 / math.pi), 0.044715
    tanh = ops.tanh(factor * wide * (1 + cubic * wide * wide))
    share = 0.5 * (1 + tanh)
    slope = 0.5 * wide * (1 - tanh * tanh) * factor * (1 + 3 * cubic * wide * wide)
    return ops.cast(wide * share, x.dtype), ops.cast(share + slope, x.dtype)
