"""kbert/ops/attention.py"""

import numpy as np
import pytest
import tensorflow as tf
from kernels import assert_close, normal, value_and_gradients, ways

from kbert import ops as fast
from kbert.ops.dropout import kept


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


SEED = np.array([3, 8], "uint32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0]], bool)


def plain_attention_dropout(scores, rate):
    blocked = tf.where(MASK[:, None, None, :], tf.constant(0, scores.dtype), -1e9)
    weights = tf.nn.softmax(scores + blocked)
    stays = tf.cast(kept(scores.shape, SEED, rate), scores.dtype) if rate else 1.0
    return weights * stays / (1 - rate)


def both_attention_dropout(way, scores, rate):
    upstream = normal(*scores.shape, seed=1)
    result = value_and_gradients(
        way,
        lambda scores: fast.attention_dropout(scores, MASK, SEED, rate=rate),
        scores,
        upstream=upstream,
    )
    expected = value_and_gradients(
        lambda function: function,
        lambda scores: plain_attention_dropout(scores, rate),
        tf.cast(scores, "float64"),
        upstream=upstream,
    )
    return result, expected


@ways
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_attention_dropout_has_value_and_gradient_of_its_parts(way, rate):
    # The softmax of a text without tokens is over -1e9 + scores, where float32 has no
    # room for the scores: any gradient among them is rounding.
    result, expected = both_attention_dropout(way, 2 * normal(3, 2, 4, 5), rate)

    for ours, theirs in zip(result, expected, strict=True):
        np.testing.assert_allclose(ours[0][:2], theirs[0][:2], atol=1e-6)
    assert np.isfinite(result[1][0]).all()


# Weights below 1 are rounded to 8 bits, then scaled by a rounded number; in the
# gradient the upstream numbers, below 4, are too.
@ways
def test_attention_dropout_in_bfloat16_is_off_by_its_roundings(way):
    scores = tf.cast(2 * normal(3, 2, 4, 5), "bfloat16")
    result, expected = both_attention_dropout(way, scores, 0.3)

    np.testing.assert_allclose(result[0][0][:2], expected[0][0][:2], rtol=3 * 2**-8)
    np.testing.assert_allclose(result[1][0][:2], expected[1][0][:2], atol=6 * 2**-8)


def plain_heads(x, batch, num_heads, parts):
    """By einops-like steps, with a loop over the heads."""
    width = x.shape[1] // len(parts)
    depth = width // num_heads
    heads = []
    for number, part in enumerate(parts):
        columns = x[:, number * width : (number + 1) * width]
        each = [
            tf.reshape(
                columns[:, head * depth : (head + 1) * depth], (batch, -1, depth)
            )
            for head in range(num_heads)
        ]
        stacked = tf.stack(each, axis=1)  # [B, N, T, D]
        if part == "query":
            stacked = stacked / depth**0.5
        heads.append(tf.linalg.matrix_transpose(stacked) if part == "key" else stacked)
    return heads


@ways
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "parts", [("query", "key", "value"), ("query",), ("key", "value")]
)
def test_split_heads_cuts_scales_and_turns(way, parts, training):
    x, places = normal(2 * 3, len(parts) * 8), np.ones((2, 3), bool)
    shapes = {"query": (2, 4, 3, 2), "key": (2, 4, 2, 3), "value": (2, 4, 3, 2)}
    upstream = [normal(*shapes[part], seed=9) for part in parts]
    result = value_and_gradients(
        way,
        lambda x: fast.split_heads(
            x, places, parts=parts, num_heads=4, training=training
        ),
        x,
        upstream=upstream,
    )
    expected = value_and_gradients(
        lambda function: function,
        lambda x: plain_heads(x, 2, 4, parts),
        x,
        upstream=upstream,
    )

    assert_close(result, expected)


def test_merge_heads_undoes_split_heads():
    x, places = normal(2 * 3, 8), np.ones((2, 3), bool)
    (heads,) = fast.split_heads(x, places, parts=("value",), num_heads=4, training=True)

    np.testing.assert_array_equal(fast.merge_heads(heads), x)


@ways
def test_gather_rows_picks_tokens_and_adds_up_the_gradients_of_one_picked_twice(way):
    x, positions = normal(2 * 4, 3), np.array([[3, 0, 3], [1, 1, 1]], "int32")
    upstream = normal(6, 3, seed=1)
    result = value_and_gradients(
        way,
        lambda x: fast.gather_rows(x, positions, np.zeros((2, 4), bool)),
        x,
        upstream=upstream,
    )
    slope = np.zeros((8, 3))
    for row, place in enumerate([3, 0, 3, 5, 5, 5]):
        slope[place] += upstream[row]

    assert_close(result, ([x[[3, 0, 3, 5, 5, 5]]], [slope]))
