"""kbert/checkpoints/tf1.py"""

import json
import shutil

import numpy as np
import pytest

import kbert
from kbert.model import model_variables


def read_all(prefix):
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(prefix))
    return {
        name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
    }


def joined(arrays, layer, kind):
    """Query, key and value of one layer side by side, as our kernel has them."""
    attention = f"bert/encoder/layer_{layer}/attention/self"
    return np.concatenate(
        [arrays[f"{attention}/{part}/{kind}"] for part in ("query", "key", "value")],
        axis=-1,
    )


@pytest.mark.real_data
def test_the_checkpoint_of_google_is_read_with_both_heads(shared, tmp_path):
    folder = shared / "data" / "tf1_bert_ckpt"
    theirs = read_all(folder / "bert_model.ckpt")
    bert = kbert.load(folder)
    ours = {name: np.asarray(w) for name, w in model_variables(bert).items()}

    assert (bert.config.num_layers, bert.config.hidden_dim) == (2, 4)
    assert (bert.config.activation, bert.tokenizer.lowercase) == ("gelu", True)
    assert set(bert.heads) == {"masked_lm", "next_sentence"}
    assert ours["masked_lm/bias"].shape == (15,)
    assert ours["next_sentence/dense/kernel"].shape == (4, 2)
    for name, expected in {
        "embeddings/token": theirs["bert/embeddings/word_embeddings"],
        "layer_2/attention/query_key_value/kernel": joined(theirs, 1, "kernel"),
        "layer_1/attention/query_key_value/bias": joined(theirs, 0, "bias"),
        "layer_1/output_layer_norm/gamma": theirs[
            "bert/encoder/layer_0/output/LayerNorm/gamma"
        ],
        "pooler/dense/kernel": theirs["bert/pooler/dense/kernel"],
        "masked_lm/transform/kernel": theirs["cls/predictions/transform/dense/kernel"],
        "masked_lm/bias": theirs["cls/predictions/output_bias"],
        "next_sentence/dense/kernel": theirs["cls/seq_relationship/output_weights"].T,
    }.items():
        np.testing.assert_array_equal(ours[name], expected)
    transfer = kbert.convert(folder, tmp_path / "kbert", to="kbert")
    slots = [name for name in theirs if name.endswith(("/adam_m", "/adam_v"))]
    assert set(transfer.ignored) == {"global_step", *slots}
    assert set(transfer.mapped) == set(theirs) - set(transfer.ignored)


@pytest.mark.real_data
def test_the_written_names_are_those_of_googles_code(folders, shared, tmp_path):
    theirs = read_all(shared / "data" / "tf1_bert_ckpt" / "bert_model.ckpt")
    ours = read_all(folders["tf1"] / "bert_model.ckpt")

    weights = [name for name in theirs if not name.endswith(("adam_m", "adam_v"))]
    assert set(ours) == set(weights) - {"global_step"}
    assert ours["cls/seq_relationship/output_weights"].shape == (2, 12)


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh"])
def test_a_round_trip_keeps_every_bit_of_every_head(make_bert, tmp_path, activation):
    heads = {"masked_lm": 37, "next_sentence": 2, "sequence_classifier": 3, "span": 2}
    bert = make_bert(heads, activation=activation)
    kbert.save(bert, tmp_path / "tf1", format="tf1")
    back = kbert.load(tmp_path / "tf1")
    fields = json.loads((tmp_path / "tf1" / "bert_config.json").read_text())

    # Google's code has one name for both forms.
    assert fields["hidden_act"] == "gelu"
    assert (back.config, back.labels) == (bert.config, bert.labels)
    assert back.tokenizer.vocabulary == bert.tokenizer.vocabulary
    expected = model_variables(bert)
    assert model_variables(back).keys() == expected.keys()
    for name, weight in model_variables(back).items():
        np.testing.assert_array_equal(weight, expected[name])


def test_the_gelu_form_is_what_the_caller_says(folders):
    assert kbert.load(folders["tf1"]).config.activation == "gelu"
    bert = kbert.load(folders["tf1"], activation="gelu_tanh")

    assert bert.config.activation == "gelu_tanh"
    assert bert.encoder.get_layer("layer_1").intermediate.activation == "gelu_tanh"


def test_a_prefix_or_the_pointer_says_which_of_two_checkpoints(folders, tmp_path):
    from damage import second_checkpoint

    for name, pointer in (("without", None), ("with", "other.ckpt")):
        shutil.copytree(folders["tf1"], tmp_path / name)
        second_checkpoint(pointer)(tmp_path / name)

    for source in (
        tmp_path / "with",
        tmp_path / "without" / "other.ckpt",
        tmp_path / "without" / "other.ckpt.index",
        f"tf1:{tmp_path / 'without' / 'other.ckpt'}",
    ):
        assert kbert.load(source).config.num_layers == 2


def test_what_googles_code_cannot_compute_is_refused(make_bert, tmp_path):
    bert = make_bert({"token_classifier": 3}, layer_norm_epsilon=1e-5)

    with pytest.raises(
        kbert.CheckpointError,
        match="2 differences: head token_classifier has no name .*expected 1e-12",
    ):
        kbert.save(bert, tmp_path / "tf1", format="tf1")
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_pooler_is_read_back_where_that_is_said(make_bert, tmp_path):
    kbert.save(make_bert({"span": 2}, pooler=False), tmp_path / "tf1", format="tf1")

    with pytest.raises(kbert.CheckpointError, match="bert/pooler/dense/kernel is miss"):
        kbert.load(tmp_path / "tf1")
    bert = kbert.load(tmp_path / "tf1", without_heads=["pooler"])
    assert "pooled_output" not in bert.encoder.output
