"""kbert/checkpoints/directory.py, transfer.py, labels.py, model_card.py"""

import dataclasses
import json
import re

import numpy as np
import pytest

import kbert
from kbert.checkpoints.model_card import model_card
from kbert.errors import CheckpointError
from kbert.model import model_variables
from kbert.tasks import TASKS, task_class
from kbert.tasks.predictions import check_ending


def assert_same_model(one, other):
    assert (one.config, one.labels) == (other.config, other.labels)
    ours, theirs = model_variables(one), model_variables(other)
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        np.testing.assert_array_equal(weight, theirs[name])


@pytest.mark.parametrize(
    ("heads", "pooler"),
    [
        ({}, True),
        ({"masked_lm": 37, "next_sentence": 2}, True),
        ({"token_classifier": 3}, False),
        ({"token_classifier": 3, "crf": 3}, False),
        ({"multiple_choice": 1, "span": 2, "sequence_classifier": 3}, True),
    ],
)
def test_a_directory_gives_the_same_model_back(make_bert, tmp_path, heads, pooler):
    training = {"seed": 3, "metrics": {"f1": 0.5}}
    bert = dataclasses.replace(make_bert(heads, pooler=pooler), training=training)
    kbert.save(bert, tmp_path / "model")
    back = kbert.load(tmp_path / "model")

    assert_same_model(bert, back)
    assert set(back.heads) == set(heads)
    assert ("pooled_output" in back.encoder.output) is pooler
    assert back.training == training
    assert back.tokenizer.vocabulary == bert.tokenizer.vocabulary


def test_case_and_accents_come_back(make_bert, tmp_path):
    from kbert.tokenizer import Tokenizer

    bert = make_bert({})
    tokenizer = Tokenizer(bert.tokenizer.vocabulary, False, strip_accents=True)
    kbert.save(dataclasses.replace(bert, tokenizer=tokenizer), tmp_path / "model")
    back = kbert.load(tmp_path / "model").tokenizer

    assert (back.lowercase, back.strip_accents) == (False, True)
    back = kbert.load(tmp_path / "model", lowercase=True).tokenizer
    assert (back.lowercase, back.strip_accents) == (True, True)


def test_a_model_without_vocabulary_has_no_tokenizer(make_bert, tmp_path):
    kbert.save(dataclasses.replace(make_bert({}), tokenizer=None), tmp_path / "model")

    assert kbert.load(tmp_path / "model").tokenizer is None
    assert not (tmp_path / "model" / "vocab.txt").exists()


def test_the_dtype_policy_is_that_of_the_caller(folders):
    bert = kbert.load(folders["kbert"], dtype="mixed_bfloat16")
    layer = bert.encoder.get_layer("layer_1")

    assert (layer.compute_dtype, layer.variable_dtype) == ("bfloat16", "float32")
    assert bert.heads["sequence_classifier"].compute_dtype == "bfloat16"


def test_two_saves_of_one_model_are_equal_byte_for_byte(folders, tmp_path):
    kbert.save(kbert.load(folders["kbert"]), tmp_path / "again")

    for path in folders["kbert"].iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_the_card_says_what_the_model_is_and_may_be_written_on(folders, tmp_path):
    import shutil

    shutil.copytree(folders["kbert"], tmp_path / "model")
    card = tmp_path / "model" / "README.md"
    text = card.read_text()
    count = sum(
        w.numpy().size for w in model_variables(kbert.load(card.parent)).values()
    )
    card.write_text("something else")

    assert "# BERT, 2 layers of 12" in text
    assert f"{count:,} parameters" in text
    assert "Heads: sequence_classifier" in text
    assert "Labels: negative, neutral, positive" in text
    kbert.load(tmp_path / "model")


@pytest.mark.parametrize("kind", TASKS)
def test_the_card_predicts_into_a_file_that_the_task_writes(make_bert, kind, tmp_path):
    training = {"task": {"kind": kind}, "best": {"step": 7}, "dev": {"f1": 0.5}}
    card = model_card(dataclasses.replace(make_bert({}), training=training))
    (output,) = re.findall(r"kbert predict .* FILE -o (\S+)$", card, re.MULTILINE)

    check_ending(tmp_path / output, task_class(kind).prediction_endings)
    assert output == {"ner": "predictions.conll", "qa": "predictions.json"}.get(
        kind, "predictions.tsv"
    )


def test_what_stands_there_is_replaced_only_where_that_is_said(folders, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").write_text("x")
    bert = kbert.load(folders["kbert"])

    with pytest.raises(kbert.OutputError, match="model: already exists"):
        kbert.save(bert, tmp_path / "model")
    with pytest.raises(kbert.OutputError, match="model: already exists"):
        kbert.convert(folders["kbert"], tmp_path / "model", to="tf1")
    assert (tmp_path / "model" / "mine").exists()
    kbert.save(bert, tmp_path / "model", overwrite=True)
    assert_same_model(kbert.load(tmp_path / "model"), bert)


def test_a_model_that_is_not_finite_is_never_written(make_bert, tmp_path):
    bert = make_bert({"masked_lm": 37})
    bert.heads["masked_lm"].bias.assign(np.full(37, np.inf))

    for format in ("kbert", "huggingface", "tf1"):
        with pytest.raises(kbert.CheckpointError, match="masked_lm/bias holds NaN or"):
            kbert.save(bert, tmp_path / "model", format=format)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "labels", [("a", "b\nc", "d"), ("a", "", "b"), ("a", "b", "a")]
)
def test_labels_that_would_not_come_back_are_refused(make_bert, tmp_path, labels):
    bert = make_bert({"sequence_classifier": 3})

    with pytest.raises(kbert.InputError, match="label"):
        kbert.save(dataclasses.replace(bert, labels=labels), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["kbert", "huggingface", "tf1"])
def test_a_full_disk_is_one_error_and_leaves_nothing(make_bert, tmp_path, format):
    import resource

    bert = make_bert({})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(kbert.OutputError, match="model: cannot be written: "):
            kbert.save(bert, tmp_path / "model", format=format)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_named(make_bert, tmp_path):
    with pytest.raises(kbert.ConfigError, match="format='onnx'; expected one of kbert"):
        kbert.save(make_bert({}), tmp_path / "model", format="onnx")


def test_a_model_goes_round_all_formats_unchanged(make_bert, tmp_path):
    bert = make_bert({"masked_lm": 37, "next_sentence": 2}, activation="gelu_tanh")
    kbert.save(bert, tmp_path / "0")
    for step, format in enumerate(("tf1", "huggingface", "kbert")):
        kbert.convert(tmp_path / f"{step}", tmp_path / f"{step + 1}", to=format)

    assert_same_model(kbert.load(tmp_path / "3"), bert)


def test_config_json_is_what_the_documentation_says(folders):
    fields = json.loads((folders["kbert"] / "config.json").read_text())

    assert fields["format"] == 1
    assert fields["heads"] == {"sequence_classifier": {"units": 3}}
    assert fields["tokenizer"] == {"lowercase": True, "strip_accents": True}
    assert fields["encoder"]["hidden_dim"] == 12


@pytest.mark.parametrize("format", ["kbert", "huggingface"])
def test_half_precision_rounds_each_weight_and_halves_the_file(
    make_bert, tmp_path, format
):
    bert = make_bert({})
    kbert.save(bert, tmp_path / "whole", format=format)
    kbert.save(bert, tmp_path / "half", format=format, store_dtype="float16")
    sizes = [
        (tmp_path / name / "model.safetensors").stat().st_size
        for name in ("whole", "half")
    ]
    numbers = sum(weight.shape.num_elements() for weight in bert.encoder.weights)
    half = kbert.load(tmp_path / "half")

    assert sizes[0] - sizes[1] == pytest.approx(2 * numbers, rel=0.01)
    for weight, own in zip(bert.encoder.weights, half.encoder.weights, strict=True):
        np.testing.assert_array_equal(own, weight.numpy().astype("float16"))


def test_what_half_precision_cannot_hold_is_refused(make_bert, tmp_path):
    bert = make_bert({})
    weight = bert.encoder.weights[0]
    weight.assign(70000 + 0 * weight)

    with pytest.raises(kbert.CheckpointError, match="too large for float16"):
        kbert.save(bert, tmp_path / "half", store_dtype="float16")
    assert not (tmp_path / "half").exists()


@pytest.mark.parametrize(
    ("format", "dtype"),
    [("tf1", "float16"), ("kerashub", "float16"), ("kbert", "int8")],
)
def test_a_format_that_has_no_such_numbers_says_so(make_bert, tmp_path, format, dtype):
    with pytest.raises(kbert.ConfigError, match=f"store_dtype='{dtype}'; expected"):
        kbert.save(make_bert({}), tmp_path / "x", format=format, store_dtype=dtype)


@pytest.mark.parametrize("heads", [{"crf": 3}, {"crf": 3, "token_classifier": 2}])
def test_a_crf_needs_a_classifier_of_as_many_tags(make_bert, tmp_path, heads):
    kbert.save(dataclasses.replace(make_bert(heads), labels=()), tmp_path / "model")

    with pytest.raises(
        CheckpointError, match="a head crf of 3 tags; expected a head t"
    ):
        kbert.load(tmp_path / "model")
    assert "crf" not in kbert.load(tmp_path / "model", without_heads=["crf"]).heads


@pytest.mark.parametrize(
    ("format", "message"),
    [
        (
            "huggingface",
            "no class of transformers has the heads token_classifier . crf",
        ),
        ("tf1", "head crf has no name in Google's code"),
        ("kerashub", "a BertBackbone has no head crf"),
    ],
)
def test_formats_that_have_no_crf_refuse_one(make_bert, tmp_path, format, message):
    bert = make_bert({"token_classifier": 3, "crf": 3})

    with pytest.raises(CheckpointError, match=message):
        kbert.save(bert, tmp_path / "model", format=format)
