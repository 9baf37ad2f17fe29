"""kbert/ops/cross_entropy.py"""

import numpy as np
import pytest
import tensorflow as tf
from kernels import normal, value_and_gradients, ways

from kbert import ops as fast


def losses(way, logits, labels, upstream):
    """Loss and gradient of ours, and TensorFlow's in float64."""
    result = value_and_gradients(
        way,
        lambda logits: fast.cross_entropy(logits, labels)[0],
        logits,
        upstream=upstream,
    )
    expected = value_and_gradients(
        lambda function: function,
        lambda logits: tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits),
        tf.cast(logits, "float64"),
        upstream=upstream,
    )
    return [one[0] for one in result], [one[0] for one in expected]


@ways
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_it_is_tensorflow_s_cross_entropy(way, dtype):
    labels = np.array([0, 10, 4, 4, 7], dtype)
    (loss, slope), expected = losses(way, 3 * normal(5, 11), labels, normal(5, seed=1))

    np.testing.assert_allclose(loss, expected[0], atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(slope, expected[1], atol=1e-6)


# The gradient alone is rounded to 8 bits: half of 2⁻⁷ of it.
@ways
def test_bfloat16_logits_lose_nothing_but_the_gradient_s_last_bits(way):
    labels = np.array([0, 10, 4], "int32")
    logits = tf.cast(3 * normal(3, 11), "bfloat16")
    (loss, slope), expected = losses(way, logits, labels, normal(3, seed=1))

    np.testing.assert_allclose(loss, expected[0], atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(slope, expected[1], rtol=2**-8, atol=1e-7)


@ways
def test_huge_logits_overflow_nothing(way):
    logits = np.float32([[1e30, 0, -1e30], [3e38, 3e38, -3e38], [-1e4, 1e4, 0]])
    labels = np.array([0, 1, 2], "int32")
    (loss, slope), _ = losses(way, logits, labels, np.ones(3, "float32"))
    exact = [[0, 0, 0], [0.5, -0.5, 0], [0, 1, -1]]

    np.testing.assert_allclose(loss, [0, np.log(2), 1e4], rtol=1e-6)
    np.testing.assert_allclose(slope, exact, atol=1e-6)


@ways
def test_it_says_whether_the_label_is_the_best_guess(way):
    logits = np.float32([[1, 2, 3], [3, 2, 1], [2, 5, 5], [2, 5, 5], [1, 1, 1]])
    labels = np.array([2, 1, 1, 2, 0], "int32")
    _, right = way(lambda logits: fast.cross_entropy(logits, labels))(logits)

    assert right.numpy().tolist() == [True, False, True, True, True]


def test_a_row_that_counts_nothing_gets_no_gradient():
    labels = np.array([1, 0], "int32")
    (_, slope), _ = losses(
        lambda function: function, normal(2, 3), labels, np.float32([0, 2])
    )

    np.testing.assert_array_equal(slope[0], np.zeros(3))
    assert np.abs(slope[1]).max() > 0.1
