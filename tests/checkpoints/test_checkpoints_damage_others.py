"""kbert/checkpoints: damaged kbert, TF1 and KerasHub folders; what is no model."""

import shutil

import numpy as np
import pytest
from damage import (
    WEIGHTS,
    Cases,
    assert_one_error,
    changed,
    checkpoint,
    cut,
    deleted,
    edited,
    fields,
    filled,
    flipped,
    listed,
    object_checkpoint,
    parametrize,
    removed,
    second_checkpoint,
    written,
)

import kbert

DATA = "bert_model.ckpt.data-00000-of-00001"
KBERT: Cases = {
    "one bit of the weights": (flipped(WEIGHTS, -5), rf"{WEIGHTS}: damaged: SHA-256"),
    "one bit of the vocabulary": (flipped("vocab.txt", 40), r"vocab.txt: damaged"),
    "weights cut off": (cut(WEIGHTS, -5), rf"{WEIGHTS}: \d+ bytes; expected \d+ bytes"),
    "weights missing": (deleted(WEIGHTS), rf"{WEIGHTS}: is missing"),
    "manifest missing": (deleted("manifest.json"), r"manifest.json: cannot be read"),
    "manifest empty": (written("manifest.json", "{}"), r"manifest.json: no digests"),
    "manifest points outside": (
        edited(
            "manifest.json",
            lambda content: content["files"].update(
                {"../x": {"bytes": 1, "sha256": ""}}
            ),
        ),
        r"names the file '\.\./x'",
    ),
    "weights not listed": (
        edited("manifest.json", lambda content: content["files"].pop(WEIGHTS)),
        rf"manifest.json: {WEIGHTS} is not listed",
    ),
    "labels not listed": (
        edited("manifest.json", lambda content: content["files"].pop("labels.txt")),
        r"manifest.json: labels.txt is not listed, but stands in the folder",
    ),
    "newer format": (
        listed(fields("config.json", format=2)),
        r"config.json: format 2, of a newer kbert; expected format 1. Update kbert",
    ),
    "format a text": (listed(fields("config.json", format="1")), r"format='1'"),
    "unknown field": (
        listed(fields("config.json", rotary=True)),
        r"config.json: unknown fields rotary; expected only format, encoder",
    ),
    "unknown size": (
        listed(
            edited("config.json", lambda content: content["encoder"].update(depth=3))
        ),
        r"config.json: unknown field 'depth'",
    ),
    "unknown head": (
        listed(fields("config.json", heads={"parser": {"units": 3}})),
        r"unknown head 'parser'; expected one of masked_lm",
    ),
    "unknown tokenizer field": (
        listed(fields("config.json", tokenizer={"lowercase": True, "stem": True})),
        r"unknown fields tokenizer.stem",
    ),
    "case not a boolean": (
        listed(fields("config.json", tokenizer={"lowercase": 1})),
        r"config.json: lowercase=1; expected true or false",
    ),
    "no encoder": (
        listed(edited("config.json", lambda content: content.pop("encoder"))),
        r"config.json: encoder=None; expected an object",
    ),
    "pooler a number": (listed(fields("config.json", pooler=1)), r"pooler=1; expected"),
    "units a text": (
        listed(fields("config.json", heads={"sequence_classifier": {"units": "3"}})),
        r"head sequence_classifier: {'units': '3'}",
    ),
    "units another number": (
        listed(fields("config.json", heads={"sequence_classifier": {"units": 4}})),
        r"2 differences: sequence_classifier/dense/kernel has shape \(12, 3\), "
        r"expected \(12, 4\); sequence_classifier/dense/bias has shape \(3,\)",
    ),
    "head missing in the config": (
        listed(fields("config.json", heads={}), deleted("labels.txt")),
        r"2 differences: .*sequence_classifier/dense/kernel has no place",
    ),
    "a label too many": (
        listed(written("labels.txt", "a\nb\nc\nd\n")),
        r"4 labels; expected 3, one for each class",
    ),
    "a label twice": (
        listed(written("labels.txt", "a\nb\na\n")),
        r"labels.txt, line 3: label 'a' stands twice",
    ),
    "labels not UTF-8": (listed(written("labels.txt", b"a\n\xff\nc\n")), r"not UTF-8"),
    "a NaN": (
        listed(changed("layer_2/output/bias", filled(np.nan))),
        r"layer_2/output/bias holds 1 NaN or infinite",
    ),
    "tensor missing": (
        listed(removed("layer_1/output/kernel", "pooler/dense/bias")),
        r"2 differences: layer_1/output/kernel is missing; pooler/dense/bias is miss",
    ),
    "more layers than tensors": (
        listed(
            edited(
                "config.json",
                lambda content: content["encoder"].update(num_layers=10**9),
            )
        ),
        r"\d+ tensors; expected those of 1000000000 layers",
    ),
}
TF1: Cases = {
    "index missing": (deleted("bert_model.ckpt.index"), r"0 checkpoints; expected one"),
    "index cut off": (cut("bert_model.ckpt.index", 700), r"index: cannot be read"),
    "index flipped": (flipped("bert_model.ckpt.index", 300), r"ckpt.*: cannot be read"),
    "index empty": (cut("bert_model.ckpt.index", 0), r"index: cannot be read"),
    "data missing": (deleted(DATA), r"bert_model.ckpt: no data file"),
    "data cut off": (cut(DATA, -9), rf"{DATA}: \d+ bytes; expected at least \d+"),
    "data flipped": (
        flipped(DATA, 99),
        r"bert/\S+: cannot be read: .*Checksum does",
    ),
    "config missing": (
        deleted("bert_config.json"),
        r"holds neither config.json nor bert_config.json",
    ),
    "another hidden size": (
        fields("bert_config.json", hidden_size=6),
        r"bert/embeddings/word_embeddings has shape \(37, 12\), expected \(37, 6\)",
    ),
    "two checkpoints": (
        second_checkpoint(),
        r"2 checkpoints: bert_model.ckpt, other.ckpt; expected one",
    ),
    "pointer outside": (second_checkpoint("../x"), r"names the file '\.\./x'"),
    "pointer absolute": (second_checkpoint("/a/b"), r"names the file '/a/b'"),
    "pointer to nothing": (second_checkpoint("gone"), r"gone.*cannot be read"),
    "TF2 checkpoint": (object_checkpoint, r"a TF2 object checkpoint; expected a TF1"),
    "tensor renamed": (
        checkpoint(
            lambda arrays: arrays.update(x=arrays.pop("bert/pooler/dense/bias"))
        ),
        r"2 differences: bert/pooler/dense/bias is missing; x has no place",
    ),
    "a NaN": (
        checkpoint(
            lambda arrays: arrays.update(
                {"cls/predictions/output_bias": np.full(37, np.nan, "float32")}
            )
        ),
        r"cls/predictions/output_bias holds 37 NaN or infinite",
    ),
}
KERASHUB: Cases = {
    "format not named": (lambda folder: None, r"a KerasHub preset, whose .*kerashub:"),
}
TABLES = {"kbert": KBERT, "tf1": TF1, "kerashub": KERASHUB}


@parametrize(TABLES)
def test_a_damaged_source_gives_one_error_that_names_the_place(
    folders, tmp_path, base, damage, message
):
    shutil.copytree(folders[base], tmp_path / base)
    damage(tmp_path / base)

    assert_one_error(tmp_path / base, message)


@pytest.mark.parametrize("base", ["kbert", "tf1"])
def test_the_same_folders_load_without_the_damage(folders, base):
    assert kbert.load(folders[base]).config.num_layers == 2


def test_a_preset_of_another_class_is_not_built(folders, tmp_path):
    shutil.copytree(folders["kerashub"], tmp_path / "preset")
    fields("config.json", registered_name="builtins>eval")(tmp_path / "preset")

    with pytest.raises(kbert.CheckpointError, match="registered_name='builtins>eval'"):
        kbert.load(f"kerashub:{tmp_path / 'preset'}")


def test_a_preset_without_its_weights_is_one_error(folders, tmp_path):
    shutil.copytree(folders["kerashub"], tmp_path / "preset")
    (tmp_path / "preset" / "model.weights.h5").unlink()

    with pytest.raises(kbert.CheckpointError, match="KerasHub cannot give this preset"):
        kbert.load(f"kerashub:{tmp_path / 'preset'}")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("m.keras", r"m.keras: is not opened: a .keras file can run code"),
        ("m.h5", r"m.h5: is not opened: an HDF5 file"),
        ("pytorch_model.bin", r"pytorch_model.bin: is not opened: a pickle can run"),
        ("saved_model.pb", r"saved_model.pb: is not opened: a SavedModel is a program"),
    ],
)
def test_programs_are_refused_unread_as_file_and_in_a_folder(tmp_path, file, message):
    (tmp_path / file).write_bytes(b"would fail to parse")

    for source in (tmp_path / file, tmp_path):
        with pytest.raises(kbert.CheckpointError, match=message):
            kbert.load(source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("./missing", r"./missing: no such folder; expected a bundled name"),
        (
            "bert-base-uncased",
            r"no folder or preset is called 'bert-base-uncased'; .*Go",
        ),
        (7, r"source is a int; expected .*BertBackbone"),
        ("hf://a/b", r"no folder or preset is called 'hf://a/b'"),
    ],
)
def test_a_source_that_is_nothing_gets_the_list_of_what_is_taken(source, message):
    with pytest.raises(kbert.KbertError, match=message):
        kbert.load(source)
