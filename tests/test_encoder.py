"""kbert/encoder.py"""

import dataclasses
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import numpy_bert
import pytest
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from kbert import io
from kbert.encoder import INPUTS, build_encoder
from kbert.errors import InputError

SIGNATURE = [tf.TensorSpec([None, None], kind, name) for name, kind in INPUTS.items()]


def hidden(outputs):
    """float64 ``[L + 1, B, T, H]``."""
    return np.stack([tf.cast(one, "float64") for one in outputs["hidden_states"]])


def worst(one, other, mask):
    """The largest difference at tokens."""
    return np.abs(one - other)[:, mask].max()


def freeze(encoder):
    """The encoder as one graph of unknown B and T, its weights constants."""
    names = list(INPUTS)

    @tf.function(input_signature=SIGNATURE)
    def run(*inputs):
        return encoder(dict(zip(names, inputs, strict=True)))["hidden_states"]

    frozen = convert_variables_to_constants_v2(run.get_concrete_function())
    return lambda inputs: {
        "hidden_states": frozen(*(tf.constant(inputs[name]) for name in names))
    }


# === Numbers ===


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh"])
@pytest.mark.parametrize("epsilon", [1e-12, 1e-2])
def test_every_output_equals_the_paper_in_numpy(
    tiny_config, tiny_inputs, randomize, activation, epsilon
):
    config = dataclasses.replace(
        tiny_config, activation=activation, layer_norm_epsilon=epsilon
    )
    encoder = randomize(build_encoder(config, attention_weights=True))
    weights = {one.path: one.numpy() for one in encoder.weights}
    outputs = encoder(tiny_inputs)
    for text, length in enumerate((7, 5, 1)):
        ids, segments = (
            tiny_inputs[name][text, :length] for name in ("token_ids", "segment_ids")
        )
        expected = numpy_bert.encode(weights, config, ids, segments)
        for got, wanted in zip(outputs["hidden_states"], expected[0], strict=True):
            np.testing.assert_allclose(got[text, :length], wanted, atol=1e-5)
        for got, wanted in zip(outputs["attention_weights"], expected[1], strict=True):
            np.testing.assert_allclose(
                got[text, :, :length, :length], wanted, atol=1e-5
            )
        np.testing.assert_allclose(
            outputs["pooled_output"][text], expected[2], atol=1e-5
        )


def test_outputs_have_the_names_and_shapes_of_the_docstring(tiny_encoder, tiny_inputs):
    outputs = tiny_encoder(tiny_inputs)

    assert outputs["pooled_output"].shape == (4, 12)
    assert [one.shape for one in outputs["hidden_states"]] == [(4, 7, 12)] * 5
    assert [one.shape for one in outputs["attention_weights"]] == [(4, 2, 7, 7)] * 4
    np.testing.assert_array_equal(
        outputs["sequence_output"], outputs["hidden_states"][-1]
    )


@pytest.mark.parametrize(
    "way",
    [
        tf.function,
        lambda encoder: tf.function(encoder, jit_compile=True),
        freeze,
        lambda encoder: lambda inputs: encoder.predict(inputs, verbose=0),
    ],
    ids=["graph", "xla", "frozen", "predict"],
)
def test_eager_equals(way, tiny_config, tiny_inputs, randomize):
    encoder = randomize(build_encoder(tiny_config))
    mask = tiny_inputs["padding_mask"]

    assert (
        worst(hidden(encoder(tiny_inputs)), hidden(way(encoder)(tiny_inputs)), mask)
        < 1e-5
    )


@pytest.mark.jax
@pytest.mark.slow
def test_tensorflow_equals_jax(tiny_config, tiny_inputs, randomize, tmp_path):
    encoder = randomize(build_encoder(tiny_config))
    weights = {one.path: one.numpy() for one in encoder.weights}
    np.savez(tmp_path / "in.npz", **weights, **tiny_inputs)
    io.write_json(tmp_path / "config.json", tiny_config.to_dict())
    script = Path(__file__).with_name("encoder_in_jax.py")
    files = [tmp_path / name for name in ("config.json", "in.npz", "out.npz")]
    subprocess.run(
        [sys.executable, script, *files],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        check=True,
    )
    in_jax, outputs = np.load(tmp_path / "out.npz"), encoder(tiny_inputs)

    for way in ("eager", "compiled", "predicted"):
        assert worst(in_jax[way], hidden(outputs), tiny_inputs["padding_mask"]) < 1e-5
    np.testing.assert_allclose(
        in_jax["pooled"][:3], outputs["pooled_output"][:3], atol=1e-5
    )


# Every block rounds its vectors about 8 times (products, sums, norms), each time by at
# most half a unit, 2⁻⁸ (bfloat16) or 2⁻¹¹ (float16) of the number. Independent errors
# add up as a root: √(8 · 4 + 4) = 6 roundings, 2.3 % and 0.3 % in the mean square.
@pytest.mark.parametrize(
    ("policy", "bound"), [("mixed_bfloat16", 6 * 2**-8), ("mixed_float16", 6 * 2**-11)]
)
@pytest.mark.parametrize(
    "way",
    [
        lambda encoder: encoder,
        tf.function,
        lambda encoder: tf.function(encoder, jit_compile=True),
        freeze,
    ],
    ids=["eager", "graph", "xla", "frozen"],
)
def test_mixed_precision_is_finite_and_near_float32(
    policy, bound, way, tiny_config, tiny_inputs, randomize
):
    mask = tiny_inputs["padding_mask"]
    exact = hidden(randomize(build_encoder(tiny_config))(tiny_inputs))
    encoder = randomize(build_encoder(tiny_config, dtype=policy))
    mixed = hidden(way(encoder)(tiny_inputs))
    error = (mixed - exact)[:, mask]

    assert np.isfinite(mixed).all()
    assert np.sqrt(np.mean(error**2)) < bound * np.sqrt(np.mean(exact[:, mask] ** 2))


# === Padding ===


def test_vectors_are_finite_even_in_a_text_of_padding_alone(tiny_encoder, tiny_inputs):
    outputs = tiny_encoder(tiny_inputs)

    assert not tiny_inputs["padding_mask"][3].any()
    assert all(np.isfinite(one).all() for one in keras.tree.flatten(outputs))


def test_what_stands_at_padding_changes_nothing(tiny_encoder, tiny_inputs):
    mask = tiny_inputs["padding_mask"]
    changed = {
        "token_ids": np.where(mask, tiny_inputs["token_ids"], 0),
        "segment_ids": np.where(mask, tiny_inputs["segment_ids"], 0),
        "padding_mask": mask,
    }
    before, after = hidden(tiny_encoder(tiny_inputs)), hidden(tiny_encoder(changed))

    assert worst(before, after, mask) < 1e-5


def test_padding_and_batch_mates_change_nothing(tiny_encoder, tiny_inputs):
    together = hidden(tiny_encoder(tiny_inputs))
    for text, length in enumerate((7, 5, 1)):
        alone = tiny_encoder(
            {name: one[text : text + 1, :length] for name, one in tiny_inputs.items()}
        )

        np.testing.assert_allclose(
            together[:, text, :length], hidden(alone)[:, 0], atol=1e-5
        )


def test_attention_is_0_at_padding_and_sums_to_1(tiny_encoder, tiny_inputs):
    weights = np.stack(
        tiny_encoder(tiny_inputs)["attention_weights"]
    )  # [L, B, N, T, T]
    padding = ~tiny_inputs["padding_mask"][:3]

    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
    assert (weights[:, :3].transpose(1, 4, 0, 2, 3)[padding] == 0).all()


# === Lengths ===


@pytest.mark.parametrize(
    "way", [lambda encoder: encoder, tf.function], ids=["eager", "graph"]
)
def test_an_input_too_long_is_one_line_through_keras_and_tensorflow(way, tiny_encoder):
    inputs = {name: np.ones((1, 17), kind) for name, kind in INPUTS.items()}
    with pytest.raises(InputError) as caught:
        way(tiny_encoder)(inputs)

    assert str(caught.value) == (
        "an input of 17 tokens; expected 1 to 16 (max_sequence_length). "
        "Cut the text, or split it into windows."
    )


def test_inputs_may_be_longer_than_512_if_the_config_says_so(tiny_config):
    config = dataclasses.replace(tiny_config, max_sequence_length=600, num_layers=1)
    inputs = {name: np.ones((1, 600), kind) for name, kind in INPUTS.items()}

    assert build_encoder(config)(inputs)["sequence_output"].shape == (1, 600, 12)


def test_a_batch_of_no_texts_gives_no_vectors(tiny_encoder):
    inputs = {name: np.ones((0, 3), kind) for name, kind in INPUTS.items()}

    assert tiny_encoder(inputs)["sequence_output"].shape == (0, 3, 12)


# === Training ===


def test_dropout_is_active_only_in_training(tiny_encoder, tiny_inputs):
    still = [hidden(tiny_encoder(tiny_inputs, training=False)) for _ in range(2)]
    moving = [hidden(tiny_encoder(tiny_inputs, training=True)) for _ in range(2)]

    np.testing.assert_array_equal(*still)
    np.testing.assert_array_equal(still[0], hidden(tiny_encoder(tiny_inputs)))
    for layer in range(5):
        assert np.abs(moving[0][layer] - moving[1][layer]).max() > 0.1


def test_every_weight_gets_a_gradient(tiny_config, tiny_inputs, randomize):
    encoder = randomize(build_encoder(tiny_config))
    with tf.GradientTape() as tape:
        outputs = encoder(tiny_inputs, training=True)
        total = tf.reduce_sum(outputs["sequence_output"] ** 3)
        total += tf.reduce_sum(outputs["pooled_output"])
    gradients = tape.gradient(total, [one.value for one in encoder.trainable_weights])

    assert len(gradients) == len(encoder.weights)
    for weight, gradient in zip(encoder.weights, gradients, strict=True):
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 1e-6, weight.path


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_fit_lowers_the_loss(policy, tiny_config, tiny_inputs):
    config = dataclasses.replace(tiny_config, num_layers=1)
    encoder = build_encoder(config, dtype=policy)
    x = {name: np.repeat(one[:2], 8, axis=0) for name, one in tiny_inputs.items()}
    y = np.repeat([0, 1], 8)
    logits = keras.layers.Dense(2, dtype="float32")(encoder.output["pooled_output"])
    model = keras.Model(encoder.inputs, logits)
    model.compile(
        keras.optimizers.Adam(1e-2),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    losses = model.fit(x, y, epochs=10, batch_size=16, verbose=0).history["loss"]

    assert losses[-1] < losses[0] / 2


# === Files and graphs ===


def test_a_keras_file_gives_the_same_outputs(tiny_encoder, tiny_inputs, tmp_path):
    tiny_encoder.save(tmp_path / "encoder.keras")
    copy = keras.models.load_model(tmp_path / "encoder.keras")

    for one, other in zip(
        keras.tree.flatten(tiny_encoder(tiny_inputs)),
        keras.tree.flatten(copy(tiny_inputs)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def one_dnn_is_on():
    from tensorflow.python.util import _pywrap_util_port

    return _pywrap_util_port.IsMklEnabled()


# Half of the speed depends on these fusions; any change of the layers may lose them.
@pytest.mark.skipif(not one_dnn_is_on(), reason="this TensorFlow has no oneDNN")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_frozen_graph_fuses_products_biases_gelu_and_norms(
    dtype, tiny_config, tiny_inputs, randomize
):
    # Random weights: grappler would drop a bias of zeros, and the fusion with it.
    frozen = freeze(randomize(build_encoder(tiny_config, dtype=dtype)))
    context.context().enable_graph_collection()
    frozen(tiny_inputs)
    metadata = context.context().export_run_metadata()
    context.context().disable_graph_collection()
    nodes = [
        node
        for graph in metadata.function_graphs
        for node in graph.post_optimization_graph.node
    ]
    found = Counter(
        (node.op, *(one.decode() for one in node.attr["fused_ops"].list.s))
        for node in nodes
    )
    layers = tiny_config.num_layers

    assert found["_MklLayerNorm",] == 2 * layers + 1
    assert found["_FusedMatMul", "BiasAdd", "GeluExact"] == layers
    assert found["MatMul",] == 0
    assert found["BiasAdd",] == 0


def test_weights_have_the_paths_that_model_files_use(tiny_encoder):
    first = {
        "embeddings/token",
        "embeddings/position",
        "embeddings/segment",
        "embeddings/layer_norm/gamma",
        "embeddings/layer_norm/beta",
        "layer_1/attention/query_key_value/kernel",
        "layer_1/attention/query_key_value/bias",
        "layer_1/attention/output/kernel",
        "layer_1/attention/output/bias",
        "layer_1/attention_layer_norm/gamma",
        "layer_1/attention_layer_norm/beta",
        "layer_1/intermediate/kernel",
        "layer_1/intermediate/bias",
        "layer_1/output/kernel",
        "layer_1/output/bias",
        "layer_1/output_layer_norm/gamma",
        "layer_1/output_layer_norm/beta",
        "pooler/dense/kernel",
        "pooler/dense/bias",
    }
    paths = [one.path for one in tiny_encoder.weights]
    later = ("layer_2", "layer_3", "layer_4")

    assert len(paths) == len(set(paths))
    assert {path for path in paths if not path.startswith(later)} == first
