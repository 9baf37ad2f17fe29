"""kbert/ops/normalization.py"""

import keras
import numpy as np
import numpy_bert
import pytest
import tensorflow as tf
from kernels import assert_close, normal, value_and_gradients, ways

from kbert import ops as fast
from kbert.ops.dropout import kept


def normalize(way, x, gamma, beta, *, epsilon=1e-12, training=False):
    def run(x):
        return fast.layer_normalization(
            x, tf.constant(gamma), tf.constant(beta), epsilon=epsilon, training=training
        )

    return way(run)(tf.constant(x))


# Mean 2, variance ((-1)² + 1²) / 2 = 1: normalised [-1, 1].
@ways
def test_layer_normalization_of_two_numbers_by_hand(way):
    y = normalize(way, np.float32([[1, 3]]), np.float32([10, 20]), np.float32([5, 6]))

    np.testing.assert_allclose(y, [[-5, 26]], rtol=1e-6)


@ways
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("epsilon", [1e-12, 1e-5, 0.5])
@pytest.mark.parametrize("spread", [0.01, 3.0])
def test_layer_normalization_follows_the_formula(way, training, epsilon, spread):
    # XLA computes the variance as E[x²] - E[x]²: with a mean of 7 deviations in place
    # of 1, its error would grow to 2e-5 (the others' would not).
    x = spread * normal(5, 12) + spread
    gamma, beta = normal(12, seed=1), normal(12, seed=2)
    y = normalize(way, x, gamma, beta, epsilon=epsilon, training=training)
    expected = numpy_bert.layer_normalization(x.astype("float64"), gamma, beta, epsilon)

    np.testing.assert_allclose(y, expected, atol=1e-5)


@ways
def test_layer_normalization_of_equal_numbers_is_beta(way):
    y = normalize(
        way, np.full((2, 4), 3, "float32"), normal(4), np.float32([1, 2, 3, 4])
    )

    np.testing.assert_allclose(y, [[1, 2, 3, 4]] * 2, atol=1e-3)


# In float16 the square of 300 overflows: statistics have to be float32.
@ways
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("training", [False, True])
def test_layer_normalization_keeps_its_statistics_in_float32(way, dtype, training):
    x = tf.cast(300 * normal(5, 64), dtype)
    y = normalize(
        way, x, np.ones(64, "float32"), np.zeros(64, "float32"), training=training
    )
    wide = tf.cast(x, "float64").numpy()
    expected = numpy_bert.layer_normalization(wide, 1.0, 0.0, 1e-12)

    assert y.dtype == dtype
    # Two roundings of numbers below 4: half of 2⁻⁹ and of 2⁻⁶ each (10 and 7 bits).
    bound = {"float16": 2 * 2**-10, "bfloat16": 2 * 2**-7}[dtype]
    np.testing.assert_allclose(tf.cast(y, "float64"), expected, atol=bound)


# Extracting features asks for no gradient; attribution and adversarial steps do, with
# training=False, so the fused form must have the right one.
@ways
def test_the_gradient_is_the_same_outside_of_training(way):
    x, gamma, beta, factor = normal(5, 6), normal(6), normal(6), normal(5, 6, seed=3)

    def gradient(training):
        def run(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = fast.layer_normalization(
                    x, gamma, beta, epsilon=1e-12, training=training
                )
                total = tf.reduce_sum(y * factor)
            return tape.gradient(total, x)

        return way(run)(tf.constant(x))

    np.testing.assert_allclose(gradient(False), gradient(True), atol=1e-5)


SEED = np.array([5, 9], "uint32")


def plain_add_and_normalize(x, residual, gamma, beta, *, rate, epsilon):
    stays = tf.cast(kept(x.shape, SEED, rate), x.dtype) if rate else 1.0
    total = residual + x * stays / (1 - rate)
    mean, variance = tf.nn.moments(total, axes=[-1], keepdims=True)
    return (total - mean) / tf.sqrt(variance + epsilon) * gamma + beta


def both_add_and_normalize(way, inputs, upstream, **how):
    """Values and gradients of the kernel, and of the plain form in float64."""
    result = value_and_gradients(
        way,
        lambda *inputs: fast.add_and_normalize(*inputs, SEED, **how),
        *inputs,
        upstream=upstream,
    )
    expected = value_and_gradients(
        lambda function: function,
        lambda *inputs: plain_add_and_normalize(*inputs, **how),
        *(tf.cast(one, "float64") for one in inputs),
        upstream=upstream,
    )
    return result, expected


@ways
@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("epsilon", [1e-12, 0.5])
def test_add_and_normalize_has_value_and_gradients_of_its_parts(way, rate, epsilon):
    inputs = normal(7, 12), normal(7, 12, seed=1), normal(12, seed=2), normal(12)
    result, expected = both_add_and_normalize(
        way, inputs, normal(7, 12, seed=3), rate=rate, epsilon=epsilon
    )

    assert_close(result, expected, atol=1e-5, rtol=1e-5)


# The scaled input and the sum are rounded, 2⁻⁹ of numbers up to 8, then the result.
# Deviations are near 1; gamma and the upstream gradient are below 4.
@ways
def test_add_and_normalize_in_bfloat16_is_off_by_its_roundings(way):
    inputs = [tf.cast(normal(7, 64, seed=seed), "bfloat16") for seed in (0, 1)]
    inputs += [normal(64, seed=2), normal(64, seed=3)]
    result, expected = both_add_and_normalize(
        way, inputs, normal(7, 64, seed=4), rate=0.25, epsilon=1e-12
    )

    assert_close(result, expected, atol=0.15, rtol=0.02)
    pairs = zip(result[0] + result[1], expected[0] + expected[1], strict=True)
    for one, other in pairs:
        error = np.sqrt(np.mean((one - other) ** 2) / np.mean(other**2))
        assert error < 2**-7


def test_add_and_normalize_takes_variables():
    gamma, beta = keras.Variable(normal(4)), keras.Variable(normal(4, seed=1))
    x, residual = normal(3, 4), normal(3, 4, seed=2)
    how = {"rate": 0.0, "epsilon": 1e-12}
    with tf.GradientTape() as tape:
        y = fast.add_and_normalize(x, residual, gamma, beta, SEED, **how)
    slopes = tape.gradient(y, [gamma.value, beta.value])
    expected = plain_add_and_normalize(
        tf.constant(x), residual, gamma.value, beta.value, **how
    )

    np.testing.assert_allclose(y, expected, atol=1e-5)
    np.testing.assert_allclose(slopes[1], [3] * 4)
    assert slopes[0].shape == (4,)
