"""kbert/ops.py"""

import numpy as np
import numpy_bert
import pytest
import tensorflow as tf

from kbert import ops as fast

WAYS = {
    "eager": lambda function: function,
    "graph": tf.function,
    "xla": lambda function: tf.function(function, jit_compile=True),
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@ways
def test_dense_is_product_plus_bias(way):
    x, kernel, bias = normal(5, 3), normal(3, 4, seed=1), normal(4, seed=2)
    y = way(fast.dense)(x, kernel, bias)

    np.testing.assert_allclose(y, x @ kernel + bias, atol=1e-6)


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


def probabilities(way, scores, mask, *, training=False):
    def run(scores, mask):
        return fast.attention_probabilities(scores, mask, training=training)

    return way(run)(tf.constant(scores), tf.constant(mask))


# softmax(0, ln 3) = 1/4, 3/4.
@ways
def test_probabilities_of_two_tokens_and_a_padding_by_hand(way):
    scores = np.tile(np.float32([0, np.log(3), 50]), (1, 1, 3, 1))
    rows = probabilities(way, scores, np.array([[True, True, False]]))

    np.testing.assert_allclose(rows[0, 0], [[0.25, 0.75, 0]] * 3, rtol=1e-6)


@ways
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("training", [False, True])
def test_probabilities_are_0_at_padding_and_sum_to_1(way, dtype, training):
    scores = tf.cast(30 * normal(3, 2, 4, 4), dtype)
    mask = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], bool)
    rows = tf.cast(probabilities(way, scores, mask, training=training), "float64")

    # A sum of 4 rounded numbers below 1: at most 4 half units of 8 or 11 bits.
    bound = {"float32": 1e-6, "bfloat16": 4 * 2**-9, "float16": 4 * 2**-12}[dtype]
    np.testing.assert_allclose(tf.reduce_sum(rows, -1), np.ones((3, 2, 4)), atol=bound)
    assert np.all(rows.numpy()[1, :, :, [1, 3]] == 0)


@ways
def test_a_row_of_padding_alone_gets_the_same_weight_everywhere(way):
    rows = probabilities(way, normal(1, 2, 5, 5), np.zeros((1, 5), bool))

    np.testing.assert_allclose(rows, np.full((1, 2, 5, 5), 0.2), rtol=1e-6)
