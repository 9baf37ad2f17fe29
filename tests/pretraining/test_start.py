"""kbert/pretraining/start.py"""

import dataclasses
import json

import numpy as np
import pretraining_runs as runs
import pytest
from pretraining_records import static_record, write_shards

import kbert
from kbert import CheckpointError, ConfigError, PretrainingData
from kbert.model import model_variables
from kbert.pretraining.start import starting_model


@pytest.fixture(scope="module")
def data(unlabelled):
    return PretrainingData.open(unlabelled, verify=False)


@pytest.fixture(scope="module")
def pairs(made):
    return PretrainingData.open(made(), verify=False)


def start(config, data, dropout=None):
    return starting_model(config, data, dtype="float32", dropout=dropout)


def values(bert):
    return {path: one.numpy() for path, one in model_variables(bert).items()}


@pytest.fixture(scope="module")
def saved(data, tmp_path_factory, randomize):
    """A model with the masked-token head, in a folder."""
    bert = start(runs.config(), data)
    randomize(bert.encoder)
    folder = tmp_path_factory.mktemp("saved") / "model"
    kbert.save(bert, folder)
    return folder


def test_a_size_takes_its_words_from_the_data(pairs):
    bert = start("tiny", pairs)

    assert bert.config == kbert.BertConfig.from_size("tiny", vocabulary_size=32)
    assert list(bert.heads) == ["masked_lm", "next_sentence"]
    assert bert.tokenizer.vocabulary.tokens == tuple(runs.TOKENS)
    assert bert.tokenizer.lowercase


def test_data_without_pairs_need_one_head(data):
    assert list(start(runs.config(), data).heads) == ["masked_lm"]


def test_a_file_may_leave_the_words_to_the_data(data, tmp_path):
    fields = runs.config().to_dict()
    del fields["vocabulary_size"]
    (tmp_path / "config.json").write_text(json.dumps(fields))

    assert start(tmp_path / "config.json", data).config == runs.config()


def test_dropout_changes_the_layers_and_not_the_config(data, saved):
    for config in (runs.config(), saved):
        bert = start(config, data, dropout=0.4)
        layer = bert.encoder.get_layer("layer_1")

        assert bert.config.dropout == 0.1
        assert layer.options["dropout"] == layer.attention.rate == 0.4
        assert layer.output_layer_norm.rate == 0.4
        assert bert.encoder.get_layer("embeddings").dropout.rate == 0.4


def test_another_dropout_keeps_the_weights_of_a_model(data, saved):
    plain, changed = (start(saved, data, dropout=rate) for rate in (None, 0.4))
    own = values(changed)

    assert own.keys() == values(plain).keys()
    for path, one in values(plain).items():
        np.testing.assert_array_equal(own[path], one)


def test_a_model_gets_the_heads_that_it_lacks(pairs, saved):
    bert = start(saved, pairs)
    before = values(kbert.load(saved))
    after = values(bert)

    assert list(bert.heads) == ["masked_lm", "next_sentence"]
    assert after.keys() - before.keys() == {
        "next_sentence/dense/kernel",
        "next_sentence/dense/bias",
    }
    for path, one in before.items():
        np.testing.assert_array_equal(after[path], one)


def test_a_model_grows_with_its_vocabulary_and_old_rows_stay(made, saved):
    tokens = [*runs.TOKENS, "ab", "##c", "de"]
    longer = PretrainingData.open(made(objective="none", tokens=tokens), verify=False)
    bert = start(saved, longer)
    old = values(kbert.load(saved))

    assert bert.config.vocabulary_size == 35
    assert bert.tokenizer.vocabulary.tokens == tuple(tokens)
    for path in ("embeddings/token", "masked_lm/bias"):
        new = values(bert)[path]
        assert len(new) == 35
        np.testing.assert_array_equal(new[:32], old[path])


def test_another_vocabulary_than_the_model_s_is_refused(made, saved):
    tokens = [*runs.TOKENS[:-2], "z", "y"]
    other = PretrainingData.open(made(objective="none", tokens=tokens), verify=False)
    with pytest.raises(ConfigError, match="is not the beginning of that of .*--extend"):
        start(saved, other)


def test_a_model_without_a_pooler_cannot_predict_the_next_sentence(
    data, pairs, tmp_path
):
    config = runs.config()
    encoder = kbert.build_encoder(config, pooler=False)
    bert = dataclasses.replace(start(config, data), encoder=encoder, heads={})
    kbert.save(bert, tmp_path / "model")

    with pytest.raises(ConfigError, match="no pooler.*--objective none"):
        start(tmp_path / "model", pairs)
    assert list(start(tmp_path / "model", data).heads) == ["masked_lm"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", {"hiden_dim": 3}, "a.json: unknown field 'hiden_dim'. Did you mean"),
        ("b.json", {"num_layers": 2}, "b.json: missing fields: num_heads, hidden_dim"),
        ("c.json", [], "c.json: holds a JSON list; expected an object"),
        ("d.json", None, "d.json: cannot be read: No such file"),
    ],
)
def test_a_file_that_is_no_config_is_refused(data, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(json.dumps(content))

    with pytest.raises(ConfigError, match=message):
        start(tmp_path / name, data)


def test_other_numbers_of_words_are_refused_with_both(data, tmp_path):
    config = kbert.BertConfig.from_dict(
        {**runs.config().to_dict(), "vocabulary_size": 40}
    )
    config.save(tmp_path / "config.json")

    with pytest.raises(ConfigError, match="vocabulary_size=40; expected 32, as in "):
        start(tmp_path / "config.json", data)


def test_what_is_no_size_and_no_model_is_refused(data):
    with pytest.raises((ConfigError, CheckpointError), match="huge"):
        start("huge", data)


def test_another_dropout_needs_no_pooler(data, tmp_path):
    bare = kbert.build_encoder(runs.config(), pooler=False)
    bert = dataclasses.replace(start(runs.config(), data), encoder=bare, heads={})
    kbert.save(bert, tmp_path / "model")
    changed = start(tmp_path / "model", data, dropout=0.4)

    assert "pooled_output" not in changed.encoder.output
    assert changed.encoder.get_layer("layer_1").options["dropout"] == 0.4


@pytest.mark.parametrize(("words", "lowercase"), [("abc", True), ("aBc", False)])
def test_google_s_records_are_tokenized_as_their_vocabulary_looks(
    tmp_path, words, lowercase
):
    write_shards(tmp_path, "part", [static_record(number) for number in range(4)], [4])
    tokens = [*runs.TOKENS[:6], *words]
    (tmp_path / "vocab.txt").write_text("\n".join(tokens) + "\n")
    google = PretrainingData.open(tmp_path, verify=False)
    config = dataclasses.replace(runs.config(), vocabulary_size=len(tokens))
    bert = start(config, google)

    assert bert.tokenizer.lowercase is bert.tokenizer.strip_accents is lowercase


@pytest.mark.parametrize(
    ("lowercase", "strip_accents", "message"),
    [
        (False, False, "--uncased --strip-accents; expected --cased --keep-accents"),
        (True, False, "--uncased --strip-accents; expected --uncased --keep-accents"),
    ],
)
def test_text_that_was_read_otherwise_than_the_model_reads_is_refused(
    data, made, tmp_path, lowercase, strip_accents, message
):
    bert = start(runs.config(), data)
    own = kbert.Tokenizer(
        bert.tokenizer.vocabulary, lowercase, strip_accents=strip_accents
    )
    kbert.save(dataclasses.replace(bert, tokenizer=own), tmp_path / "model")
    choices = {"lowercase": lowercase, "strip_accents": strip_accents}
    same = PretrainingData.open(made(objective="none", **choices), verify=False)

    with pytest.raises(ConfigError, match=message):
        start(tmp_path / "model", data)
    assert start(tmp_path / "model", same).tokenizer.lowercase is lowercase


def test_a_model_without_a_vocabulary_gets_that_of_the_data(data, made, tmp_path):
    bert = dataclasses.replace(start(runs.config(), data), tokenizer=None)
    kbert.save(bert, tmp_path / "model")
    tokens = [*runs.TOKENS, "ab"]
    longer = PretrainingData.open(made(objective="none", tokens=tokens), verify=False)

    own = start(tmp_path / "model", data).tokenizer
    assert own.vocabulary.tokens == tuple(runs.TOKENS)
    assert own.lowercase
    with pytest.raises(ConfigError, match="vocabulary_size=32; expected 33"):
        start(tmp_path / "model", longer)
