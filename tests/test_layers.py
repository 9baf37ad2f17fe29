"""kbert/layers"""

import keras
import numpy as np
import numpy_bert
import pytest
import tensorflow as tf

from kbert import layers
from kbert.errors import InputError


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def weights_of(layer):
    """Arrays by the last part of their path below the layer."""
    prefix = f"{layer.path}/"
    return {
        one.path.removeprefix(prefix): keras.ops.convert_to_numpy(one)
        for one in layer.weights
    }


@pytest.mark.parametrize("activation", [None, "tanh", "gelu", "gelu_tanh"])
@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3), (2, 1, 5, 3)])
def test_dense_is_activation_of_product_plus_bias(shape, activation, randomize):
    layer = layers.Dense(4, activation=activation)
    layer.build(shape)
    randomize(layer)
    x = normal(*shape)
    own = weights_of(layer)
    y = x @ own["kernel"] + own["bias"]
    formulas = {"gelu": numpy_bert.gelu, "gelu_tanh": numpy_bert.gelu_tanh}
    formulas |= {None: lambda y: y, "tanh": np.tanh}

    np.testing.assert_allclose(layer(x), formulas[activation](y), atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 12), (2, 5, 12)])
def test_layer_normalization_follows_the_formula_over_the_last_axis(shape, randomize):
    layer = layers.LayerNormalization(epsilon=1e-3)
    layer.build(shape)
    randomize(layer)
    own = weights_of(layer)
    x = normal(*shape)
    y = numpy_bert.layer_normalization(x, own["gamma"], own["beta"], 1e-3)

    np.testing.assert_allclose(layer(x), y, atol=1e-5)


@pytest.fixture(scope="module")
def embeddings():
    layer = layers.Embeddings(
        vocabulary_size=7,
        max_sequence_length=5,
        num_segments=2,
        hidden_dim=3,
        dropout=0.5,
        layer_norm_epsilon=1e-12,
    )
    layer.build((None, None), (None, None))
    return layer


def test_embeddings_sum_the_rows_of_three_tables_and_normalize(embeddings):
    # One-hot-like tables whose sum is (1, 2, 3) + (3, 0, 0) + (0, 2, 0) = (4, 4, 3).
    embeddings.token.assign(np.tile([[1, 2, 3]], (7, 1)))
    embeddings.position.assign(np.tile([[3, 0, 0]], (5, 1)))
    embeddings.segment.assign([[9, 9, 9], [0, 2, 0]])
    y = embeddings(np.array([[6, 0]]), np.array([[1, 1]]))
    # Mean 11/3, differences (1/3, 1/3, -2/3), variance 2/9.
    row = np.array([1, 1, -2]) / np.sqrt(2)

    np.testing.assert_allclose(y, [[row, row]], rtol=1e-5)


@pytest.mark.parametrize("length", [0, 6, 100])
def test_an_input_too_long_or_empty_is_one_line_with_both_lengths(embeddings, length):
    ids = np.zeros((2, length), "int32")
    with pytest.raises(InputError) as caught:
        embeddings(ids, ids)

    message = f"an input of {length} tokens; expected 1 to 5 (max_sequence_length)"
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("table", ["token", "segment"])
def test_an_id_beyond_its_table_is_an_error_on_a_cpu(embeddings, table):
    ids = {"token": np.zeros((1, 2), "int32"), "segment": np.zeros((1, 2), "int32")}
    ids[table] = np.array([[0, 7]])
    with pytest.raises(Exception, match=r"indices\[0,1\] = 7 is not in"):
        embeddings(ids["token"], ids["segment"])


def built_attention(randomize):
    layer = layers.SelfAttention(num_heads=2, dropout=0.5, attention_weights=True)
    layer.build((None, 6), (None, None))
    return randomize(layer, seed=4)


def test_attention_follows_the_formula_text_by_text(randomize):
    layer = built_attention(randomize)
    own = weights_of(layer)
    x, lengths = normal(2, 4, 6), (4, 3)
    mask = np.arange(4)[None] < np.array(lengths)[:, None]
    y, weights = layer(x.reshape(8, 6), mask)
    kernels = np.split(own["query_key_value/kernel"], 3, axis=1)
    biases = np.split(own["query_key_value/bias"], 3)
    output = own["output/kernel"], own["output/bias"]
    for text, length in enumerate(lengths):
        parts = zip(kernels, biases, strict=True)
        expected = numpy_bert.attention(x[text, :length], *parts, output, 2)

        np.testing.assert_allclose(
            np.reshape(y, (2, 4, 6))[text, :length], expected[0], atol=1e-6
        )
        np.testing.assert_allclose(
            weights[text, :, :length, :length], expected[1], atol=1e-6
        )
        assert np.all(weights.numpy()[text, :, :, length:] == 0)


@pytest.fixture(scope="module")
def block(randomize):
    layer = layers.EncoderLayer(
        num_heads=2,
        intermediate_dim=10,
        dropout=0.0,
        activation="gelu",
        layer_norm_epsilon=1e-6,
        attention_weights=True,
    )
    layer.build((None, None, 6))
    return randomize(layer, seed=7)


X, MASK = normal(3, 5, 6), np.arange(5)[None] < np.array([[5], [4], [2]])
POSITIONS = np.array([[0, 3, 4, 3], [1, 0, 2, 0], [0, 1, 0, 0]], "int32")


def at_positions(layer, x, training):
    return layer(x, MASK, POSITIONS, training=training)


def all_then_gathered(layer, x, training):
    vectors, weights = layer(x, MASK, training=training)
    weights = tf.gather(weights, POSITIONS, axis=2, batch_dims=0)
    chosen = tf.stack([weights[text, :, text] for text in range(3)])
    return tf.gather(vectors, POSITIONS, batch_dims=1), chosen


def with_gradients(function, layer, training):
    """What is computed, and the gradients of the weights and the input."""
    x, upstream = tf.constant(X), normal(3, 4, 6, seed=5)
    with tf.GradientTape() as tape:
        tape.watch(x)
        vectors, weights = function(layer, x, training)
        total = tf.reduce_sum(vectors * upstream)
    sources = [x, *(one.value for one in layer.trainable_weights)]
    slopes = tape.gradient(total, sources)
    return [vectors, weights, *map(tf.convert_to_tensor, slopes)]


@pytest.mark.parametrize("training", [False, True])
def test_some_positions_get_what_they_get_among_all_and_so_do_the_weights(
    block, training
):
    some = with_gradients(at_positions, block, training)
    every = with_gradients(all_then_gathered, block, training)

    assert some[0].shape == (3, 4, 6)
    assert some[1].shape == (3, 2, 4, 5)
    for one, other in zip(some, every, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5, rtol=1e-5)


def test_inference_and_training_without_dropout_are_the_same(block):
    trained, plain = (
        with_gradients(at_positions, block, training) for training in (True, False)
    )

    for one, other in zip(trained, plain, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5, rtol=1e-5)


def test_dropout_draws_anew_in_each_call_and_part():
    layer = layers.EncoderLayer(
        num_heads=2,
        intermediate_dim=10,
        dropout=0.5,
        activation="gelu",
        layer_norm_epsilon=1e-6,
    )
    one, other = (layer(X, MASK, training=True).numpy() for _ in range(2))
    seeds = [one.numpy() for one in layer.non_trainable_variables]

    assert np.abs(one - other).max() > 1e-3
    assert len({int(seed[0]) for seed in seeds}) == len(seeds) == 3


def test_pooler_reads_the_first_token_alone(randomize):
    layer = layers.Pooler()
    layer.build((None, None, 6))
    own = weights_of(randomize(layer))
    x = normal(2, 4, 6)
    expected = np.tanh(x[:, 0] @ own["dense/kernel"] + own["dense/bias"])

    np.testing.assert_allclose(layer(x), expected, atol=1e-6)


def example_layers():
    embeddings = layers.Embeddings(
        vocabulary_size=7,
        max_sequence_length=5,
        num_segments=2,
        hidden_dim=6,
        dropout=0.1,
        layer_norm_epsilon=1e-6,
    )
    block = layers.EncoderLayer(
        num_heads=2,
        intermediate_dim=10,
        dropout=0.1,
        activation="gelu_tanh",
        layer_norm_epsilon=1e-6,
        attention_weights=True,
    )
    ids, mask = np.ones((2, 4), "int32"), np.ones((2, 4), bool)
    return [
        (layers.Dense(4, activation="gelu"), [normal(2, 3)]),
        (layers.LayerNormalization(epsilon=1e-6), [normal(2, 3)]),
        (layers.ResidualNormalization(rate=0.1), [normal(2, 3), normal(2, 3)]),
        (layers.Dropout(0.1), [normal(2, 3)]),
        (embeddings, [ids, ids]),
        (layers.SelfAttention(num_heads=3, dropout=0.1), [normal(8, 6), mask]),
        (block, [normal(2, 4, 6), mask]),
        (layers.Pooler(), [normal(2, 4, 6)]),
    ]


EXAMPLES = example_layers()


@pytest.mark.parametrize(
    ("layer", "inputs"), EXAMPLES, ids=[type(layer).__name__ for layer, _ in EXAMPLES]
)
def test_a_layer_is_rebuilt_from_its_config_and_its_shapes(layer, inputs):
    before = keras.tree.flatten(layer(*inputs))
    stored = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(stored)
    copy.set_weights(layer.get_weights())

    assert copy.get_config() == layer.get_config()
    for one, other in zip(before, keras.tree.flatten(copy(*inputs)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_layer_is_tried_above():
    public = {
        one
        for one in vars(layers).values()
        if isinstance(one, type) and issubclass(one, keras.layers.Layer)
    }

    assert {type(layer) for layer, _ in EXAMPLES} == public


def test_normalisation_weights_stay_float32_under_mixed_precision():
    layer = layers.EncoderLayer(
        num_heads=2,
        intermediate_dim=10,
        dropout=0.1,
        activation="gelu",
        layer_norm_epsilon=1e-12,
        dtype="mixed_bfloat16",
    )
    y = layer(normal(2, 4, 6), np.ones((2, 4), bool))

    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert {weight.dtype for weight in layer.weights} == {"float32"}
