"""kbert/checkpoints/kerashub.py"""

import dataclasses

import numpy as np
import pytest

import kbert
from kbert.model import model_variables


@pytest.fixture(scope="module")
def backbone(randomize):
    """A BertBackbone of other sizes than our own models, every weight random."""
    from keras_hub.models import BertBackbone

    return randomize(
        BertBackbone(
            vocabulary_size=29,
            num_layers=3,
            num_heads=3,
            hidden_dim=12,
            intermediate_dim=18,
            max_sequence_length=10,
        )
    )


def test_a_backbone_in_memory_gives_the_same_outputs(backbone):
    generator = np.random.default_rng(2)
    inputs = {
        "token_ids": generator.integers(0, 29, (4, 10), "int32"),
        "segment_ids": generator.integers(0, 2, (4, 10), "int32"),
        "padding_mask": np.arange(10)[None] < np.array([[10], [7], [3], [1]]),
    }
    bert = kbert.load(backbone)
    ours, theirs = bert.encoder(inputs), backbone(inputs)
    tokens = inputs["padding_mask"]

    assert (bert.config.activation, bert.tokenizer) == ("gelu_tanh", None)
    np.testing.assert_allclose(
        np.asarray(ours["sequence_output"])[tokens],
        np.asarray(theirs["sequence_output"])[tokens],
        atol=1e-5,
    )
    np.testing.assert_allclose(
        ours["pooled_output"], theirs["pooled_output"], atol=1e-5
    )


def test_a_round_trip_keeps_every_bit_and_the_tokenizer(make_bert, tmp_path):
    bert = make_bert({}, activation="gelu_tanh")
    kbert.save(bert, tmp_path / "preset", format="kerashub")
    back = kbert.load(f"kerashub:{tmp_path / 'preset'}")

    assert back.config == bert.config
    assert back.tokenizer.vocabulary == bert.tokenizer.vocabulary
    assert back.tokenizer.lowercase and back.tokenizer.strip_accents
    expected = model_variables(bert)
    for name, weight in model_variables(back).items():
        np.testing.assert_array_equal(weight, expected[name])


def test_the_written_preset_is_one_for_keras_hub(folders):
    from keras_hub.models import BertBackbone, BertTokenizer

    preset = str(folders["kerashub"])
    weights = {w.path: w for w in BertBackbone.from_preset(preset).weights}
    ours = model_variables(kbert.load(f"kerashub:{preset}"))
    tokenizer = BertTokenizer.from_preset(preset)

    kernel = weights["transformer_layer_1/self_attention_layer/key/kernel"]
    expected = np.asarray(ours["layer_2/attention/query_key_value/kernel"])[:, 12:24]
    np.testing.assert_array_equal(np.asarray(kernel).reshape(12, 12), expected)
    assert np.asarray(tokenizer(["A b"])).tolist() == [[5, 6]]


def test_a_backbone_alone_has_no_tokenizer(backbone, tmp_path):
    kbert.save(kbert.load(backbone), tmp_path / "preset", format="kerashub")

    assert kbert.load(f"kerashub:{tmp_path / 'preset'}").tokenizer is None


def test_what_a_backbone_cannot_compute_is_refused_all_at_once(make_bert, tmp_path):
    bert = make_bert({"span": 2}, pooler=False, layer_norm_epsilon=1e-5)

    with pytest.raises(
        kbert.CheckpointError,
        match=r"4 differences: a BertBackbone has no head span; .*--activation "
        r"gelu_tanh.*; .*layer_norm_epsilon=1e-12, not 1e-05; .*has a pooler",
    ):
        kbert.save(bert, tmp_path / "preset", format="kerashub")
    assert list(tmp_path.iterdir()) == []


def test_heads_left_out_by_name_let_a_model_through(folders, tmp_path):
    transfer = kbert.convert(
        folders["huggingface"],
        tmp_path / "preset",
        to="kerashub",
        without_heads=["masked_lm", "next_sentence"],
        activation="gelu_tanh",
    )
    expected = kbert.load(folders["huggingface"]).config
    back = kbert.load(f"kerashub:{tmp_path / 'preset'}")

    assert len(transfer.left_out) == 7
    assert transfer.left_out[0] == "cls.predictions.bias"
    assert back.config == dataclasses.replace(expected, activation="gelu_tanh")


def test_a_full_disk_is_told_before_hdf5_meets_it(make_bert, tmp_path, monkeypatch):
    import shutil
    from types import SimpleNamespace

    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(kbert.OutputError, match=r"0 MB are free; expected \d+ MB"):
        kbert.save(
            make_bert({}, activation="gelu_tanh"), tmp_path / "x", format="kerashub"
        )
    assert list(tmp_path.iterdir()) == []
