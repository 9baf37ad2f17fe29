"""kbert/ops/dense.py"""

import numpy as np
import numpy_bert
import pytest
import tensorflow as tf
from kernels import assert_close, normal, value_and_gradients, ways

from kbert import ops as fast


@ways
def test_dense_is_product_plus_bias(way):
    x, kernel, bias = normal(5, 3), normal(3, 4, seed=1), normal(4, seed=2)
    y = way(fast.dense)(x, kernel, bias)

    np.testing.assert_allclose(y, x @ kernel + bias, atol=1e-6)


@ways
def test_dense_while_training_has_tensorflow_s_value_and_gradients(way):
    given = [normal(5, 3), normal(3, 4, seed=1), normal(4, seed=2)]
    upstream = normal(5, 4, seed=3)
    result = value_and_gradients(
        way,
        lambda *arrays: fast.dense(*arrays, training=True),
        *given,
        upstream=upstream,
    )
    expected = value_and_gradients(
        lambda function: function,
        lambda x, kernel, bias: tf.matmul(x, kernel) + bias,
        *(one.astype("float64") for one in given),
        upstream=upstream,
    )

    assert_close(result, expected)


# A sum in bfloat16 stops growing at 256 times what is added. In float32 it is rounded
# once, at its end.
@ways
def test_dense_while_training_adds_the_slopes_of_the_bias_in_float32(way):
    rows = 8192
    upstream = tf.cast(1 + normal(rows, 4), "bfloat16")
    given = [tf.cast(normal(*shape), "bfloat16") for shape in ((rows, 3), (3, 4), (4,))]
    _, slopes = value_and_gradients(
        way,
        lambda *arrays: fast.dense(*arrays, training=True),
        *given,
        upstream=upstream,
    )

    expected = tf.cast(upstream, "float64").numpy().sum(axis=0)
    np.testing.assert_allclose(slopes[2], expected, rtol=2**-8)


# Φ(1) = 0.8413447 and Φ(2) = 0.9772499, from any table of the normal distribution.
@ways
def test_gelu_is_x_times_the_normal_distribution_function(way):
    y = way(lambda x: fast.gelu(x, approximate=False))(
        tf.constant([-2.0, -1.0, 0.0, 1.0, 2.0])
    )
    expected = [-2 * 0.0227501, -0.1586553, 0, 0.8413447, 2 * 0.9772499]

    np.testing.assert_allclose(y, expected, atol=1e-6)


@ways
@pytest.mark.parametrize("approximate", [False, True])
def test_gelu_follows_both_formulas(way, approximate):
    x = np.linspace(-6, 6, 101, dtype="float32")
    formula = numpy_bert.gelu_tanh if approximate else numpy_bert.gelu
    y = way(lambda x: fast.gelu(x, approximate=approximate))(tf.constant(x))

    np.testing.assert_allclose(y, formula(x.astype("float64")), atol=1e-6)


def test_the_two_forms_of_gelu_differ():
    exact, tanh = (fast.gelu([1.0], approximate=flag) for flag in (False, True))

    assert np.abs(exact - tanh) > 1e-4


@ways
@pytest.mark.parametrize("approximate", [False, True])
def test_gelu_while_training_has_tensorflow_s_value_and_gradient(way, approximate):
    x, upstream = 3 * normal(7, 5), normal(7, 5, seed=1)
    result = value_and_gradients(
        way,
        lambda x: fast.gelu(x, approximate=approximate, training=True),
        x,
        upstream=upstream,
    )
    expected = value_and_gradients(
        lambda function: function,
        lambda x: tf.nn.gelu(x, approximate=approximate),
        x.astype("float64"),
        upstream=upstream,
    )

    assert_close(result, expected)


# The value is rounded once, to 8 bits; the gradient where the slope is, and once more
# as a product: half of 2⁻⁷ each.
@ways
@pytest.mark.parametrize("approximate", [False, True])
def test_gelu_while_training_rounds_bfloat16_once(way, approximate):
    x = tf.cast(3 * normal(7, 5), "bfloat16")
    upstream = tf.cast(normal(7, 5, seed=1), "bfloat16")
    values, slopes = value_and_gradients(
        way,
        lambda x: fast.gelu(x, approximate=approximate, training=True),
        x,
        upstream=upstream,
    )
    exact_values, exact_slopes = value_and_gradients(
        lambda function: function,
        lambda x: tf.nn.gelu(x, approximate=approximate),
        tf.cast(x, "float64"),
        upstream=upstream,
    )

    np.testing.assert_allclose(values[0], exact_values[0], rtol=2**-8, atol=1e-6)
    np.testing.assert_allclose(slopes[0], exact_slopes[0], rtol=2 * 2**-8, atol=1e-6)


# Where the value should be 0, XLA's erf is off by one of its last bits, times x.
@pytest.mark.parametrize("x", [-40.0, -1e4, 1e4, 1e15])
@pytest.mark.parametrize("approximate", [False, True])
def test_gelu_while_training_of_large_numbers(x, approximate):
    (value,), (slope,) = value_and_gradients(
        lambda function: function,
        lambda x: fast.gelu(x, approximate=approximate, training=True),
        np.float32([x]),
        upstream=np.float32([1]),
    )

    np.testing.assert_allclose(value, [max(x, 0)], rtol=1e-6, atol=2**-22 * abs(x))
    np.testing.assert_allclose(slope, [x > 0], atol=1e-6)
