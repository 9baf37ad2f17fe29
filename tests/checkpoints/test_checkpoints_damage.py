"""kbert/checkpoints/huggingface.py, safetensors_files.py: damaged, one clear error."""

import json
import shutil
import struct

import numpy as np
import pytest
from damage import (
    INDEX,
    WEIGHTS,
    Cases,
    appended,
    assert_one_error,
    changed,
    cut,
    deleted,
    edited,
    entry,
    fields,
    filled,
    flipped,
    header,
    moved,
    parametrize,
    removed,
    renamed,
    tensors,
    written,
)

import kbert

SHARD = "model-00001-of-00002.safetensors"
QUERY = "bert.encoder.layer.1.attention.self.query.weight"
INNER = "bert.encoder.layer.0.intermediate.dense.weight"
HUGGINGFACE: Cases = {
    "tensor renamed": (
        renamed(QUERY, "bert.encoder.layer.1.attention.self.quarry.weight"),
        r"2 differences: encoder.layer.1.attention.self.query.weight is missing; "
        r"bert.encoder.layer.1.attention.self.quarry.weight has no place",
    ),
    "tensor missing": (removed(QUERY), r"layer.1.attention.self.query.weight is miss"),
    "two things wrong": (
        lambda folder: [
            removed("cls.predictions.bias")(folder),
            changed(INNER, np.transpose)(folder),
        ],
        r"2 differences: .*intermediate.dense.weight has shape \(12, 20\), expected "
        r"\(20, 12\); cls.predictions.bias is missing",
    ),
    "head unknown": (
        tensors(lambda arrays: arrays.update({"crf.start": np.ones(3, "float32")})),
        r"crf.start has no place in this model. .*--without-head",
    ),
    "head of another class": (
        fields("config.json", architectures=["BertForSequenceClassification"]),
        r"2 differences: classifier.weight is missing; classifier.bias is missing",
    ),
    "pooler missing": (
        removed("bert.pooler.dense.weight", "bert.pooler.dense.bias"),
        r"pooler.dense.weight is missing; pooler.dense.bias is missing",
    ),
    "layer too many": (fields("config.json", num_hidden_layers=1), r"layer.1.* no pla"),
    "layer too few": (
        fields("config.json", num_hidden_layers=3),
        r"16 differences: encoder.layer.2.attention.self.query.weight is missing",
    ),
    "tensor of another shape": (
        changed(INNER, lambda array: array[:, 1:]),
        r"intermediate.dense.weight has shape \(20, 11\), expected \(20, 12\)",
    ),
    "tensor of integers": (
        changed(INNER, lambda array: array.astype("int32")),
        r"intermediate.dense.weight holds int32, expected float32",
    ),
    "tensor of doubles": (
        changed(INNER, lambda array: array.astype("float64")),
        r"intermediate.dense.weight holds float64, expected float32",
    ),
    "a NaN": (
        changed(INNER, filled(np.nan)),
        r"intermediate.dense.weight holds 1 NaN or infinite",
    ),
    "an infinity": (
        changed("bert.pooler.dense.bias", filled(-np.inf)),
        r"bert.pooler.dense.bias holds 1 NaN or infinite",
    ),
    "decoder not tied": (
        tensors(
            lambda arrays: arrays.update(
                {"cls.predictions.decoder.weight": np.ones((37, 12), "float32")}
            )
        ),
        r"cls.predictions.decoder.weight differs from bert.embeddings.word_embeddings",
    ),
    "tensor twice": (
        tensors(
            lambda arrays: arrays.update({"pooler.dense.bias": np.ones(12, "float32")})
        ),
        r"pooler.dense.bias and (bert.)?pooler.dense.bias are one tensor",
    ),
    "last byte cut off": (
        cut(WEIGHTS, -1),
        rf"{WEIGHTS}: not a whole .* bytes of",
    ),
    "half cut off": (cut(WEIGHTS, 9000), rf"{WEIGHTS}: not a whole safetensors file"),
    "cut in the header": (cut(WEIGHTS, 100), r"a header of \d+ bytes in 100"),
    "cut in the length": (cut(WEIGHTS, 4), r"a header of \d+ bytes in 4"),
    "empty file": (cut(WEIGHTS, 0), r"a header of 0 bytes in 0"),
    "bytes appended": (
        appended(WEIGHTS, b"xyz"),
        r"\d+ bytes of tensors, expected \d+",
    ),
    "header length absurd": (
        written(WEIGHTS, struct.pack("<Q", 1 << 62) + b"{}"),
        r"a header of 4611686018427387904 bytes in 10",
    ),
    "header garbage": (flipped(WEIGHTS, 8), r"its header is not JSON"),
    "header not UTF-8": (
        written(WEIGHTS, struct.pack("<Q", 4) + b"\xff\xfe{}"),
        r"its header is not JSON",
    ),
    "header a list": (header(lambda fields: "[]"), r"its header is not an object"),
    "name twice in the header": (
        header(lambda fields: f"{json.dumps(fields)[:-1]}, {json.dumps(fields)[1:]}"),
        r"a name stands twice",
    ),
    "header entry empty": (
        header(lambda fields: fields.update({INNER: {}})),
        r"the header entry of bert.encoder.layer.0.intermediate.dense.weight is {}",
    ),
    "unknown type": (entry(INNER, dtype="F31"), r"header entry of .*'dtype': 'F31'"),
    "negative shape": (entry(INNER, shape=[-20, -12]), r"'shape': \[-20, -12\]"),
    "shape too large": (
        entry(INNER, shape=[1 << 40, 1 << 40]),
        r"the header entry of .*intermediate.dense.weight is .*1099511627776",
    ),
    "offsets overlap": (
        entry("bert.pooler.dense.bias", data_offsets=[0, 48]),
        r"begins at byte \d+, expected byte \d+",
    ),
    "no weights": (deleted(WEIGHTS), r"no weights; expected model.safetensors"),
    "a pickle": (
        lambda folder: (folder / WEIGHTS).rename(folder / "pytorch_model.bin"),
        r"pytorch_model.bin is a pickle, .*save_pretrained",
    ),
    "no config": (deleted("config.json"), r"holds neither config.json nor bert_config"),
    "config not JSON": (
        cut("config.json", 30),
        r"config.json, line \d+: not valid JSON",
    ),
    "config a list": (written("config.json", "[1]"), r"config.json: holds a JSON list"),
    "config of nobody": (
        written("config.json", "{}"),
        r'config.json: none of "format"',
    ),
    "config of a Roberta": (
        fields("config.json", model_type="roberta"),
        r"model_type='roberta'; expected 'bert'",
    ),
    "relative positions": (
        fields("config.json", position_embedding_type="relative_key"),
        r"position_embedding_type='relative_key'; expected 'absolute'",
    ),
    "a decoder": (fields("config.json", is_decoder=True), r"is_decoder=True"),
    "another activation": (
        fields("config.json", hidden_act="relu"),
        r"hidden_act='relu'; expected one of gelu, gelu_new, gelu_pytorch_tanh",
    ),
    "two dropout rates": (
        fields("config.json", attention_probs_dropout_prob=0.2),
        r"attention_probs_dropout_prob=0.2 and hidden_dropout_prob=0.1",
    ),
    "size missing": (
        edited("config.json", lambda content: content.pop("intermediate_size")),
        r"config.json: missing fields: intermediate_size",
    ),
    "size a text": (fields("config.json", hidden_size="12"), r"hidden_dim='12'"),
    "heads do not divide": (
        fields("config.json", num_attention_heads=5),
        r"hidden_dim=12 with num_heads=5",
    ),
    "another vocabulary size": (
        fields("config.json", vocab_size=38),
        r"2 differences: bert.embeddings.word_embeddings.weight has shape \(37, 12\), "
        r"expected \(38, 12\); cls.predictions.bias has shape \(37,\)",
    ),
    "a thousand million layers": (
        fields("config.json", num_hidden_layers=10**9),
        r"46 tensors; expected those of 1000000000 layers",
    ),
    "architectures a text": (
        fields("config.json", architectures="BertModel"),
        r"architectures='BertModel'",
    ),
    "label names with gaps": (
        fields("config.json", id2label={"0": "a", "2": "b"}),
        r"id2label={'0': 'a', '2': 'b'}",
    ),
    "a token too many": (
        appended("vocab.txt", b"zz\n"),
        r"vocab.txt: 38 tokens; expected 37",
    ),
    "a special token missing": (
        written("vocab.txt", "a\nb\n"),
        r"\[PAD\], \[UNK\], \[CLS\], \[SEP\], \[MASK\] missing",
    ),
    "case not a boolean": (
        fields("tokenizer_config.json", do_lower_case="yes"),
        r"tokenizer_config.json: do_lower_case='yes'; expected true or false",
    ),
}
LABELLED: Cases = {
    "a label too few": (
        fields("config.json", id2label={"0": "a", "1": "b"}),
        r"classifier.weight has shape \(3, 12\), expected \(2, 12\)",
    ),
}
SHARDED: Cases = {
    "shard outside": (
        moved("../huggingface/model.safetensors"),
        r"names the file '\.\.",
    ),
    "shard absolute": (moved("/etc/passwd"), r"names the file '/etc/passwd'"),
    "shard an address": (moved("gs://x/y"), r"names the file 'gs://x/y'"),
    "shard a number": (moved(7), r"names the file 7"),
    "shard missing": (deleted(SHARD), rf"its shard {SHARD} is missing"),
    "shard cut off": (cut(SHARD, -7), rf"{SHARD}: not a whole safetensors file"),
    "tensor not in its shard": (
        removed("bert.embeddings.LayerNorm.bias", file=SHARD),
        rf"bert.embeddings.LayerNorm.bias is not in {SHARD}",
    ),
    "tensor not in the index": (
        edited(INDEX, lambda content: content["weight_map"].pop(QUERY)),
        rf"{QUERY}, in model-0000\d-of-00002.safetensors, is not in the index",
    ),
    "no map": (written(INDEX, '{"metadata": {}}'), rf"{INDEX}: no weight_map"),
    "index not JSON": (written(INDEX, "{"), rf"{INDEX}, line 1: not valid JSON"),
}
TABLES = {
    "huggingface": HUGGINGFACE,
    "huggingface_labels": LABELLED,
    "sharded": SHARDED,
}


@parametrize(TABLES)
def test_a_damaged_source_gives_one_error_that_names_the_place(
    folders, tmp_path, base, damage, message
):
    shutil.copytree(folders[base], tmp_path / base)
    damage(tmp_path / base)

    assert_one_error(tmp_path / base, message)


@pytest.mark.parametrize("base", [*TABLES])
def test_the_same_folders_load_without_the_damage(folders, base):
    assert kbert.load(folders[base]).config.num_layers == 2
