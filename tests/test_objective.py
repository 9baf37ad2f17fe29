"""kbert/objective.py"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kbert
from kbert import AdamW, BertConfig, build_pretraining_model, new_bert
from kbert.model import model_variables

CONFIG = BertConfig(
    vocabulary_size=23,
    num_layers=2,
    num_heads=2,
    hidden_dim=8,
    intermediate_dim=12,
    dropout=0.0,
    max_sequence_length=16,
)
HEADS = ("masked_lm", "next_sentence")
# Four texts of 10, 7, 5 and 10 tokens; the third has one token hidden, the last none.
LENGTHS = np.array([10, 7, 5, 10])
POSITIONS = np.array([[3, 9, 1], [2, 5, 0], [4, 0, 0], [0, 0, 0]], "int32")
WEIGHTS = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]], "float32")
COUNT = 6


@pytest.fixture
def bert(randomize):
    bert = new_bert(CONFIG, heads=HEADS)
    for number, layer in enumerate((bert.encoder, *bert.heads.values())):
        randomize(layer, seed=number)
    return bert


def make_batch(labelled=True):
    generator = np.random.default_rng(3)
    # Not 0: transformers gives the padding token no gradient, wherever it stands.
    ids = generator.integers(1, 23, (4, 10), "int32")
    x = {
        "token_ids": ids,
        "segment_ids": (np.arange(10)[None] > LENGTHS[:, None] // 2).astype("int32"),
        "padding_mask": np.arange(10)[None] < LENGTHS[:, None],
        "mask_positions": POSITIONS,
    }
    hidden = generator.integers(0, 23, POSITIONS.shape, "int32")
    y = {"masked_lm": hidden * WEIGHTS.astype("int32")}
    weights = {"masked_lm": WEIGHTS}
    if labelled:
        y["next_sentence"] = np.array([0, 1, 1, 0], "int32")
        weights["next_sentence"] = np.ones(4, "float32")
    return x, y, weights


def as_tensors(batch):
    return tf.nest.map_structure(tf.constant, batch)


def loss_and_gradients(model, batch):
    """The loss, the figures, and the gradient of each weight."""
    x, y, weights = as_tensors(batch)
    model.reset_metrics()
    with tf.GradientTape() as tape:
        predicted = model(x, training=True)
        loss = model.compute_loss(x, y, predicted, weights)
    variables = model.trainable_variables
    slopes = tape.gradient(loss, [one.value for one in variables])
    named = {
        one.path: tf.convert_to_tensor(slope).numpy()
        for one, slope in zip(variables, slopes, strict=True)
    }
    figures = {name: float(mean.result()) for name, mean in model.means.items()}
    return float(loss), figures, named


@pytest.mark.oracle
@pytest.mark.parametrize("expected", [COUNT / 4, None])
def test_losses_accuracy_and_gradients_are_those_of_transformers(
    bert, tmp_path, expected
):
    import torch
    import transformers

    kbert.save(bert, tmp_path / "model", format="huggingface")
    theirs = transformers.BertForPreTraining.from_pretrained(tmp_path / "model")
    theirs.eval()  # dropout is 0 in ours
    x, y, _ = batch = make_batch()
    labels = np.full((4, 10), -100)
    for text, slot in zip(*np.nonzero(WEIGHTS), strict=True):
        labels[text, POSITIONS[text, slot]] = y["masked_lm"][text, slot]
    output = theirs(
        input_ids=torch.tensor(x["token_ids"], dtype=torch.long),
        token_type_ids=torch.tensor(x["segment_ids"], dtype=torch.long),
        attention_mask=torch.tensor(x["padding_mask"].astype("int64")),
        labels=torch.tensor(labels),
        next_sentence_label=torch.tensor(y["next_sentence"], dtype=torch.long),
    )
    output.loss.backward()
    model = build_pretraining_model(bert, expected_predictions=expected)
    loss, figures, slopes = loss_and_gradients(model, batch)

    masked = output.prediction_logits.detach().numpy().argmax(-1)
    right = (masked == labels)[labels >= 0]
    pairs = output.seq_relationship_logits.detach().numpy().argmax(-1)
    assert loss == pytest.approx(output.loss.item(), rel=1e-5)
    assert figures["masked_lm_loss"] + figures["next_sentence_loss"] == pytest.approx(
        loss, rel=1e-5
    )
    assert figures["masked_lm_accuracy"] == pytest.approx(np.mean(right))
    assert figures["next_sentence_accuracy"] == np.mean(pairs == y["next_sentence"])
    layer = theirs.bert.encoder.layer[0]
    kernels = [
        getattr(layer.attention.self, name) for name in ("query", "key", "value")
    ]
    ours_and_theirs = [
        ("embeddings/token", theirs.bert.embeddings.word_embeddings.weight.grad),
        ("embeddings/position", theirs.bert.embeddings.position_embeddings.weight.grad),
        (
            "layer_1/attention/query_key_value/kernel",
            torch.cat([one.weight.grad for one in kernels]).T,
        ),
        (
            "layer_2/output_layer_norm/gamma",
            theirs.bert.encoder.layer[1].output.LayerNorm.weight.grad,
        ),
        ("pooler/dense/bias", theirs.bert.pooler.dense.bias.grad),
        ("masked_lm/bias", theirs.cls.predictions.bias.grad),
        ("next_sentence/dense/kernel", theirs.cls.seq_relationship.weight.grad.T),
    ]
    for path, slope in ours_and_theirs:
        np.testing.assert_allclose(slopes[path], slope, atol=1e-5, err_msg=path)


# ln(23) and ln(2): all logits are 0 once the last weights are.
def test_the_losses_of_a_model_that_knows_nothing(bert):
    for one in (*bert.heads["masked_lm"].weights, *bert.heads["next_sentence"].weights):
        one.assign(tf.zeros_like(one))
    model = build_pretraining_model(bert, expected_predictions=2.0)
    loss, figures, _ = loss_and_gradients(model, make_batch())

    assert figures["masked_lm_loss"] == pytest.approx(np.log(23))
    assert figures["next_sentence_loss"] == pytest.approx(np.log(2))
    # Six of the eight predictions that are expected of four texts.
    assert loss == pytest.approx(6 / 8 * np.log(23) + np.log(2), rel=1e-6)


def test_unused_slots_change_nothing(bert):
    x, y, weights = batch = make_batch()
    wide = [{**part} for part in batch]
    wide[0]["mask_positions"] = np.pad(x["mask_positions"], ((0, 0), (0, 4)))
    wide[1]["masked_lm"] = np.pad(y["masked_lm"], ((0, 0), (0, 4)))
    wide[2]["masked_lm"] = np.pad(weights["masked_lm"], ((0, 0), (0, 4)))
    model = build_pretraining_model(bert)
    loss, figures, slopes = loss_and_gradients(model, batch)
    other_loss, other_figures, other_slopes = loss_and_gradients(model, tuple(wide))

    assert other_loss == pytest.approx(loss, rel=1e-6)
    assert other_figures == pytest.approx(figures, rel=1e-6)
    for path, slope in slopes.items():
        np.testing.assert_allclose(other_slopes[path], slope, atol=1e-6, err_msg=path)


def test_what_a_row_of_weight_0_holds_changes_nothing(bert):
    x, y, weights = make_batch()
    weights = {name: one.copy() for name, one in weights.items()}
    weights["masked_lm"][1], weights["next_sentence"][1] = 0, 0
    other = {name: one.copy() for name, one in x.items()}
    other["token_ids"][1] = 7
    model = build_pretraining_model(bert)
    results = [loss_and_gradients(model, (one, y, weights)) for one in (x, other)]

    assert results[0][:2] == results[1][:2]


def test_means_are_over_all_that_was_asked_and_not_over_batches(bert):
    model = build_pretraining_model(bert)
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    rows = tf.data.Dataset.from_tensor_slices(make_batch())
    whole, parts = (
        model.evaluate(rows.batch(size), verbose=0, return_dict=True) for size in (4, 3)
    )

    for name in model.means:
        assert parts[name] == pytest.approx(whole[name], rel=1e-5)


def test_two_halves_have_the_mean_gradient_of_the_whole(bert):
    model = build_pretraining_model(bert, expected_predictions=1.5)
    x, y, weights = make_batch()
    halves = [
        tf.nest.map_structure(lambda one, rows=rows: one[rows], (x, y, weights))
        for rows in (slice(0, 2), slice(2, 4))
    ]
    _, _, whole = loss_and_gradients(model, (x, y, weights))
    (_, _, one), (_, _, other) = (loss_and_gradients(model, half) for half in halves)

    for path, slope in whole.items():
        np.testing.assert_allclose((one[path] + other[path]) / 2, slope, atol=1e-5)


def test_it_shares_the_weights_of_the_bert_and_leaves_no_other(bert):
    model = build_pretraining_model(bert)

    assert {one.path for one in model.weights} == set(model_variables(bert))
    assert {id(one) for one in model.weights} == {
        id(one) for one in model_variables(bert).values()
    }


def test_without_pairs_there_is_neither_pooler_nor_its_loss():
    bert = new_bert(CONFIG, heads=("masked_lm",))
    model = build_pretraining_model(bert)
    model.compile(AdamW(0.01), jit_compile=False)
    x, y, weights = make_batch(labelled=False)
    figures = model.train_on_batch(x, y, weights, return_dict=True)

    assert set(figures) == {"loss", "masked_lm_loss", "masked_lm_accuracy"}
    assert not any("pooler" in one.path for one in model.weights)


def test_a_bert_without_the_head_is_refused():
    with pytest.raises(KeyError, match="masked_lm"):
        build_pretraining_model(new_bert(CONFIG))


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    "optimizer",
    [lambda: keras.optimizers.Adam(0.02), lambda: AdamW(0.05, bias_correction=True)],
)
def test_a_keras_user_fits_it_in_ten_lines(optimizer, jit_compile):
    bert = kbert.new_bert(CONFIG, heads=("masked_lm", "next_sentence"))
    model = kbert.build_pretraining_model(bert, expected_predictions=1.5)
    model.compile(optimizer(), jit_compile=jit_compile)
    x, y, weights = make_batch()
    data = tf.data.Dataset.from_tensors((x, y, weights)).repeat(150)
    before = model.evaluate(data.take(1), verbose=0, return_dict=True)
    model.fit(data, shuffle=False, verbose=0)
    after = model.evaluate(data.take(1), verbose=0, return_dict=True)

    assert before["masked_lm_loss"] > 2.5
    assert after["masked_lm_loss"] < 0.5
    assert after["masked_lm_accuracy"] == after["next_sentence_accuracy"] == 1
    assert set(after) == {"loss", *model.means}
