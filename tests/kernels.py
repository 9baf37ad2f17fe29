"""Ways to run a function of TensorFlow tensors, and its gradients in each of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

WAYS = {
    "eager": lambda function: function,
    "graph": tf.function,
    "xla": lambda function: tf.function(function, jit_compile=True),
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Float32 numbers around 0."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def value_and_gradients(
    way: Callable[..., Any], function: Callable[..., Any], *inputs: Any, upstream: Any
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What a function gives, and the gradient of its product with ``upstream``.

    A function of several outputs takes as many upstream arrays. All in float64.
    """
    upstream = upstream if isinstance(upstream, list) else [upstream]

    def run(*inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = tf.nest.flatten(function(*inputs))
            products = [
                tf.reduce_sum(tf.cast(one, "float64") * tf.cast(slope, "float64"))
                for one, slope in zip(outputs, upstream, strict=True)
            ]
            total = tf.add_n(products)
        return outputs, tape.gradient(total, inputs)

    outputs, gradients = way(run)(*map(tf.constant, inputs))
    for one, slope in zip(inputs, gradients, strict=True):
        assert slope.dtype == tf.constant(one).dtype
    return [_wide(one) for one in outputs], [_wide(one) for one in gradients]


def assert_close(
    result: tuple[list[np.ndarray], list[np.ndarray]],
    expected: tuple[list[np.ndarray], list[np.ndarray]],
    *,
    atol: float = 1e-6,
    rtol: float = 1e-6,
) -> None:
    """Compare values and gradients."""
    for ours, theirs in zip(result, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=atol, rtol=rtol)


def _wide(tensor: Any) -> np.ndarray:
    return tf.cast(tf.convert_to_tensor(tensor), "float64").numpy()
