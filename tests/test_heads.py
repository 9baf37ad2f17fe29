"""kbert/heads.py"""

import dataclasses

import keras
import numpy as np
import numpy_bert
import pytest

from kbert.encoder import build_encoder
from kbert.errors import ConfigError
from kbert.heads import HEADS, DenseHead, MaskedLMHead, build_head

# What run_pretraining.py and run_squad.py of google-research/bert leave out.
EXPECTED_DROPOUT = {"next_sentence": 0.0, "span": 0.0}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.fixture
def encoder(tiny_config, randomize):
    return randomize(build_encoder(tiny_config))


# transform → GELU → LayerNorm → token table → bias, as get_masked_lm_output of
# google-research/bert does it.
@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh"])
def test_masked_lm_scores_follow_the_original_code(
    tiny_config, encoder, randomize, activation
):
    config = dataclasses.replace(tiny_config, activation=activation)
    head = randomize(build_head("masked_lm", encoder, config), seed=2)
    own = {one.path: one.numpy() for one in head.weights}
    x = normal(2, 3, 12)
    formula = {"gelu": numpy_bert.gelu, "gelu_tanh": numpy_bert.gelu_tanh}[activation]
    inner = formula(
        x @ own["masked_lm/transform/kernel"] + own["masked_lm/transform/bias"]
    )
    gamma, beta = (own[f"masked_lm/layer_norm/{name}"] for name in ("gamma", "beta"))
    inner = numpy_bert.layer_normalization(inner, gamma, beta, 1e-12)
    scores = inner @ own["embeddings/token"].T + own["masked_lm/bias"]

    np.testing.assert_allclose(head(x), scores, atol=1e-4)


def test_masked_lm_is_tied_to_the_token_table(tiny_config, encoder):
    head = build_head("masked_lm", encoder, tiny_config)
    x, table = normal(2, 12), encoder.get_layer("embeddings").token
    before = head(x).numpy()
    table.assign(2 * table)

    np.testing.assert_allclose(head(x), 2 * before, rtol=1e-5)


def test_masked_lm_adds_only_transform_norm_and_bias_to_the_encoder(
    tiny_config, encoder
):
    head = build_head("masked_lm", encoder, tiny_config)
    model = keras.Model(encoder.inputs, head(encoder.output["sequence_output"]))
    shared = {id(one) for one in encoder.weights}
    added = sum(
        int(np.prod(one.shape)) for one in head.weights if id(one) not in shared
    )

    assert added == 12 * 12 + 12 + 2 * 12 + 37  # kernel, bias, norm, one bias a piece
    pooler = 12 * 12 + 12  # no output needs it any more
    assert model.count_params() == encoder.count_params() - pooler + added


@pytest.mark.parametrize("name", sorted({*HEADS} - {"masked_lm", "crf"}))
def test_the_other_heads_are_one_dense_layer(tiny_config, encoder, randomize, name):
    head = randomize(build_head(name, encoder, tiny_config, units=5))
    kernel, bias = (one.numpy() for one in head.weights)
    x = normal(2, 3, 12)

    assert isinstance(head, DenseHead)
    assert head.rate == EXPECTED_DROPOUT.get(name, tiny_config.dropout)
    assert [one.path for one in head.weights] == [
        f"{name}/dense/kernel",
        f"{name}/dense/bias",
    ]
    np.testing.assert_allclose(head(x), x @ kernel + bias, atol=1e-5)


def test_dropout_of_a_head_is_active_only_in_training(tiny_config, encoder):
    config = dataclasses.replace(tiny_config, dropout=0.5)
    head = build_head("token_classifier", encoder, config)
    x = normal(2, 3, 12)

    np.testing.assert_array_equal(head(x), head(x, training=False))
    assert np.abs(head(x, training=True) - head(x)).max() > 0


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_logits_are_float32_under_mixed_precision(tiny_config, name, policy):
    encoder = build_encoder(tiny_config, dtype=policy)
    logits = build_head(name, encoder, tiny_config)(normal(2, 3, 12))

    assert logits.dtype == "float32"
    assert np.isfinite(logits).all()


def test_an_unknown_head_is_refused_with_the_known_ones(tiny_config, encoder):
    with pytest.raises(ConfigError, match="'mlm'; expected one of masked_lm, next_s"):
        build_head("mlm", encoder, tiny_config)


@pytest.mark.parametrize("units", [0, -1, 1.5, True])
def test_a_head_without_a_whole_number_of_units_is_refused(tiny_config, encoder, units):
    with pytest.raises(ConfigError, match=f"units={units}; expected a whole number"):
        build_head("span", encoder, tiny_config, units=units)


@pytest.mark.parametrize("name", [name for name in HEADS if HEADS[name] != "logits"])
def test_a_model_with_a_head_survives_a_keras_file(
    tiny_config, tiny_inputs, encoder, randomize, tmp_path, name
):
    head = build_head(name, encoder, tiny_config)
    source = {"pooled": "pooled_output", "tokens": "sequence_output"}[HEADS[name]]
    model = keras.Model(encoder.inputs, head(encoder.output[source]))
    randomize(model).save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")

    np.testing.assert_array_equal(copy(tiny_inputs), model(tiny_inputs))
    assert copy.count_params() == model.count_params()


def test_masked_lm_stays_tied_after_a_keras_file(
    tiny_config, tiny_inputs, encoder, tmp_path
):
    head = build_head("masked_lm", encoder, tiny_config)
    model = keras.Model(encoder.inputs, head(encoder.output["sequence_output"]))
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    (loaded,) = (one for one in copy.layers if isinstance(one, MaskedLMHead))

    assert loaded.embeddings is copy.get_layer("embeddings")
