"""kbert/task_model.py"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kbert
from kbert import (
    AdamW,
    BertConfig,
    CheckpointError,
    ConfigError,
    build_task_model,
    new_bert,
    with_heads,
)

CONFIG = BertConfig(
    vocabulary_size=23,
    num_layers=2,
    num_heads=2,
    hidden_dim=8,
    intermediate_dim=12,
    dropout=0.0,
    max_sequence_length=10,
)
LENGTHS = np.array([10, 7, 5, 10])
# Words of each text: 4, 2, 1, 3 of them have a label.
PLACES = np.array([[1, 3, 4, 8], [2, 5, 0, 0], [1, 0, 0, 0], [1, 2, 3, 0]], "int32")
THERE = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]], "float32")
TAGS = np.array([[0, 1, 2, 1], [2, 0, 0, 0], [1, 0, 0, 0], [2, 2, 0, 0]], "int32")
WORDS = 10


def make_bert(randomize, **units):
    bert = with_heads(new_bert(CONFIG), units)
    for number, layer in enumerate((bert.encoder, *bert.heads.values())):
        randomize(layer, seed=number)
    return bert


def inputs(choices=None):
    generator = np.random.default_rng(3)
    lengths = LENGTHS
    shape = (4, 10)
    if choices:
        lengths = generator.integers(3, 11, (4, choices))
        shape = (4, choices, 10)
    places = np.arange(10)
    return {
        "token_ids": generator.integers(1, 23, shape, "int32"),
        "segment_ids": (places >= lengths[..., None] // 2).astype("int32"),
        "padding_mask": places < lengths[..., None],
    }


def as_torch(x):
    import torch

    return {
        "input_ids": torch.tensor(x["token_ids"], dtype=torch.long),
        "token_type_ids": torch.tensor(x["segment_ids"], dtype=torch.long),
        "attention_mask": torch.tensor(x["padding_mask"].astype("int64")),
    }


def loss_and_gradients(model, x, y, weights):
    x, y, weights = tf.nest.map_structure(tf.constant, (x, y, weights))
    model.reset_metrics()
    with tf.GradientTape() as tape:
        outputs = model(x, training=True)
        loss = model.compute_loss(x, y, outputs, weights)
    variables = model.trainable_variables
    slopes = tape.gradient(loss, [one.value for one in variables])
    named = {
        one.path: tf.convert_to_tensor(slope).numpy()
        for one, slope in zip(variables, slopes, strict=True)
    }
    figures = {name: float(mean.result()) for name, mean in model.means.items()}
    (logits,) = outputs.values()
    return float(loss), logits.numpy(), figures, named


# head, units, loss, labels of ours, their class and its problem type
CASES = [
    ("sequence_classifier", 3, "cross_entropy", np.array([0, 2, 1, 2], "int32")),
    ("sequence_classifier", 3, "binary", np.eye(4, 3, dtype="float32") + 0),
    ("sequence_classifier", 1, "squared", np.array([0.5, 3, -1, 2], "float32")),
    ("token_classifier", 3, "cross_entropy", TAGS),
    ("span", 2, "cross_entropy", np.array([[1, 3], [0, 0], [4, 4], [2, 9]], "int32")),
    ("multiple_choice", 1, "cross_entropy", np.array([0, 2, 1, 2], "int32")),
]
CLASSES = {
    "sequence_classifier": "BertForSequenceClassification",
    "token_classifier": "BertForTokenClassification",
    "span": "BertForQuestionAnswering",
    "multiple_choice": "BertForMultipleChoice",
}


@pytest.mark.oracle
@pytest.mark.parametrize(("head", "units", "loss", "labels"), CASES)
def test_logits_loss_and_gradients_are_those_of_transformers(
    randomize, tmp_path, head, units, loss, labels
):
    import torch
    import transformers

    bert = make_bert(randomize, **{head: units})
    kbert.save(bert, tmp_path / "model", format="huggingface")
    theirs = getattr(transformers, CLASSES[head]).from_pretrained(tmp_path / "model")
    theirs.eval()  # dropout is 0 in ours
    x = inputs(choices=3 if head == "multiple_choice" else None)
    given = {"labels": torch.tensor(labels.astype("int64"))}
    weights = np.ones(4, "float32")
    if loss == "binary":
        given = {"labels": torch.tensor(labels)}
        theirs.config.problem_type = "multi_label_classification"
    elif loss == "squared":
        given = {"labels": torch.tensor(labels)}
        theirs.config.problem_type = "regression"
    elif head == "sequence_classifier":
        theirs.config.problem_type = "single_label_classification"
    elif head == "token_classifier":
        wide = np.full((4, 10), -100)
        for text, slot in zip(*np.nonzero(THERE), strict=True):
            wide[text, PLACES[text, slot]] = TAGS[text, slot]
        given, weights = {"labels": torch.tensor(wide)}, THERE
        x["word_positions"] = PLACES
    elif head == "span":
        starts, ends = torch.tensor(labels.astype("int64")).T
        given = {"start_positions": starts, "end_positions": ends}
    output = theirs(**as_torch(x), **given)
    output.loss.backward()

    asked = WORDS / 4 if head == "token_classifier" else 1.0
    model = build_task_model(bert, head, loss=loss, expected_labels=asked)
    found, logits, figures, slopes = loss_and_gradients(
        model, x, {head: labels}, {head: weights}
    )

    expected_loss = output.loss.item()
    if head == "span":
        # Transformers lets scores at padding take part; here none of them does.
        stands = x["padding_mask"]
        theirs_of = (output.start_logits, output.end_logits)
        ends = np.stack([one.detach().numpy() for one in theirs_of], axis=-1)
        np.testing.assert_allclose(logits[stands], ends[stands], atol=1e-5)
        sums = np.log(np.sum(np.exp(ends) * stands[..., None], axis=1))
        own = np.take_along_axis(ends, labels[:, None], axis=1)[:, 0]
        expected_loss = np.mean(sums - own)
    assert found == pytest.approx(expected_loss, rel=1e-5)
    assert figures[f"{head}_loss"] == pytest.approx(found, rel=1e-5)
    if head == "span":
        return
    expected = output.logits.detach().numpy()
    if head == "token_classifier":
        expected = np.take_along_axis(expected, PLACES[..., None], axis=1)
        logits, expected = logits[THERE > 0], expected[THERE > 0]
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    bert_part = theirs.bert
    for path, slope in [
        ("embeddings/token", bert_part.embeddings.word_embeddings.weight.grad),
        (
            "layer_2/intermediate/kernel",
            bert_part.encoder.layer[1].intermediate.dense.weight.grad.T,
        ),
        (
            f"{head}/dense/kernel",
            theirs.classifier.weight.grad.T,
        ),
    ]:
        np.testing.assert_allclose(slopes[path], slope, atol=1e-5, err_msg=path)


# By hand: all scores are 0, so each of 10, 7, 5 and 10 places is as likely.
def test_a_span_is_looked_for_only_where_tokens_stand(randomize):
    bert = make_bert(randomize, span=2)
    for one in bert.heads["span"].weights:
        one.assign(tf.zeros_like(one))
    model = build_task_model(bert, "span")
    labels = np.zeros((4, 2), "int32")

    loss, *_ = loss_and_gradients(
        model, inputs(), {"span": labels}, {"span": np.ones(4, "float32")}
    )

    assert loss == pytest.approx(np.log(LENGTHS).mean(), rel=1e-6)


@pytest.mark.parametrize(("head", "units", "loss", "labels"), CASES)
def test_what_weighs_nothing_changes_nothing(randomize, head, units, loss, labels):
    bert = make_bert(randomize, **{head: units})
    model = build_task_model(bert, head, loss=loss)
    x = inputs(choices=3 if head == "multiple_choice" else None)
    weights = np.ones(4, "float32")
    if head == "token_classifier":
        x["word_positions"], weights = PLACES, THERE.copy()
    weights[1] = 0
    other = {name: one.copy() for name, one in x.items()}
    other["token_ids"][1] = 7

    results = [
        loss_and_gradients(model, one, {head: labels}, {head: weights})
        for one in (x, other)
    ]

    assert results[0][0] == results[1][0]
    assert results[0][2] == results[1][2]


def test_two_halves_have_the_mean_gradient_of_the_whole(randomize):
    bert = make_bert(randomize, token_classifier=3)
    model = build_task_model(bert, "token_classifier", expected_labels=2.5)
    x = {**inputs(), "word_positions": PLACES}

    def slopes(rows):
        parts = ({k: v[rows] for k, v in x.items()}, TAGS[rows], THERE[rows])
        head = "token_classifier"
        return loss_and_gradients(model, parts[0], {head: parts[1]}, {head: parts[2]})[
            3
        ]

    whole, one, other = slopes(slice(0, 4)), slopes(slice(0, 2)), slopes(slice(2, 4))
    for path, slope in whole.items():
        np.testing.assert_allclose((one[path] + other[path]) / 2, slope, atol=1e-5)


@pytest.mark.parametrize(("head", "units", "loss", "labels"), CASES)
def test_a_keras_user_fits_it(head, units, loss, labels):
    keras.utils.set_random_seed(1)
    bert = with_heads(new_bert(CONFIG), {head: units})
    model = kbert.build_task_model(bert, head, loss=loss)
    model.compile(AdamW(0.03, bias_correction=True), jit_compile=False)
    x = inputs(choices=3 if head == "multiple_choice" else None)
    weights = np.ones(4, "float32")
    if head == "token_classifier":
        x["word_positions"], weights = PLACES, THERE
    data = tf.data.Dataset.from_tensors((x, {head: labels}, {head: weights}))

    before = model.evaluate(data, verbose=0, return_dict=True)
    model.fit(data.repeat(120), shuffle=False, verbose=0)
    after = model.evaluate(data, verbose=0, return_dict=True)

    assert after[f"{head}_loss"] < 0.2 < 0.5 < before[f"{head}_loss"]


def test_a_bert_without_the_head_is_refused():
    with pytest.raises(CheckpointError, match="no head span; expected"):
        build_task_model(new_bert(CONFIG, heads=("masked_lm",)), "span")


def test_a_loss_that_a_head_has_not_is_refused():
    bert = with_heads(new_bert(CONFIG), {"span": 2})
    with pytest.raises(ConfigError, match="loss='squared' with the head span"):
        build_task_model(bert, "span", loss="squared")
    with pytest.raises(ConfigError, match="head='masked_lm' of a task"):
        build_task_model(bert, "masked_lm")


def test_new_heads_take_the_place_of_the_old_ones():
    bert = new_bert(CONFIG, heads=("masked_lm", "next_sentence"))
    other = with_heads(bert, {"sequence_classifier": 2}, labels=("no", "yes"))

    assert set(other.heads) == {"sequence_classifier"}
    assert other.encoder is bert.encoder
    assert other.labels == ("no", "yes")
