"""kbert/ops/dropout.py"""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from kernels import assert_close, normal, value_and_gradients, ways

from kbert import ops as fast
from kbert.ops.dropout import kept

RATES = [0.01, 0.1, 0.5, 0.9]
STEPS = 24


def mask(shape, seed, rate):
    return kept(shape, tf.constant(np.asarray(seed)), rate).numpy()


def correlation(one, other, rate):
    """Of two masks, in standard errors: around 0 with variance 1 if independent."""
    product = (one - (1 - rate)) * (other - (1 - rate))
    return product.sum() / (rate * (1 - rate) * np.sqrt(product.size))


# What is kept of n is binomial. Sums of K independent squares of standard normal
# numbers have mean K and standard deviation √(2 K).
def assert_standard_normal(numbers):
    numbers = np.asarray(numbers, "float64").ravel()
    excess = (np.sum(numbers**2) - numbers.size) / np.sqrt(2 * numbers.size)

    assert abs(np.sum(numbers) / np.sqrt(numbers.size)) < 4
    assert abs(excess) < 4


@pytest.mark.parametrize("rate", RATES)
def test_the_share_that_stays_is_one_minus_the_rate(rate):
    size = 1 << 16
    shares = [mask((size,), [3, step], rate).mean() for step in range(STEPS)]

    assert_standard_normal(
        (np.array(shares) - (1 - rate)) * np.sqrt(size / (rate * (1 - rate)))
    )


# Steps count the second number up; layers differ in the first; some are next to one
# another, and the numbers of a pair may change places.
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_masks_of_neighbouring_seeds_have_nothing_in_common(rate):
    seeds = list(itertools.product([0, 1, 2, 3, 2**31, 2**32 - 1], repeat=2))
    masks = [mask((1 << 14,), seed, rate) for seed in seeds]

    assert_standard_normal(
        [correlation(*pair, rate) for pair in itertools.combinations(masks, 2)]
    )


def test_masks_of_successive_steps_of_a_keras_seed_have_nothing_in_common():
    seeds = keras.random.SeedGenerator(11)
    masks = [mask((1 << 15,), seeds.next(), 0.1) for _ in range(40)]

    for distance in (1, 2):
        pairs = zip(masks[distance:], masks[:-distance], strict=True)

        assert_standard_normal([correlation(*pair, 0.1) for pair in pairs])


def test_a_seed_s_mask_is_not_another_s_shifted():
    one, other = (mask((1 << 15,), [7, step], 0.1) for step in (0, 1))

    for first, second in ((one, one), (one, other), (other, one)):
        assert_standard_normal(
            [correlation(first[lag:], second[:-lag], 0.1) for lag in range(1, 300)]
        )


@pytest.mark.parametrize("shape", [(256, 512), (500, 96), (64, 4096)])
def test_rows_and_columns_keep_their_share(shape):
    stays, rate = mask(shape, [5, 1], 0.1), 0.1
    for axis in (0, 1):
        mean = stays.mean(axis=axis) - (1 - rate)

        assert_standard_normal(mean * np.sqrt(shape[axis] / (rate * (1 - rate))))


def test_neighbouring_rows_and_columns_have_nothing_in_common():
    stays = mask((512, 128), [5, 2], 0.1)

    for one in (stays, stays.T):
        assert_standard_normal(
            [correlation(one[i], one[j], 0.1) for i in range(40) for j in range(i)]
        )


@ways
def test_what_stays_is_scaled_and_so_is_its_gradient(way):
    x, upstream, seed = normal(6, 7), normal(6, 7, seed=1), np.array([1, 2], "uint32")
    result = value_and_gradients(
        way, lambda x: fast.dropout(x, seed, rate=0.25), x, upstream=upstream
    )
    stays = mask((6, 7), seed, 0.25)

    assert 0 < stays.sum() < stays.size
    assert_close(result, ([x * stays / 0.75], [upstream * stays / 0.75]))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_narrow_dtype_stays(dtype):
    x = tf.cast(normal(6, 7), dtype)
    y = fast.dropout(x, np.array([1, 2], "uint32"), rate=0.1)

    assert y.dtype == dtype
    assert (y.numpy() == 0).sum() < 20


def test_without_a_rate_nothing_happens():
    x = normal(3, 4)

    assert fast.dropout(x, np.array([1, 2], "uint32"), rate=0.0) is x


# As SeedGenerator has them on either backend: int32 or uint32, of the same bits.
@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64"])
def test_the_same_bits_of_a_seed_give_the_same_mask(dtype):
    numbers = np.array([-5, 3], "int64")
    seed = numbers.astype("uint32").astype(dtype)

    np.testing.assert_array_equal(
        kept((50,), tf.constant(seed), 0.5),
        kept((50,), tf.constant([2**32 - 5, 3], "uint32"), 0.5),
    )
