"""kbert/checkpoints/vocabulary_growth.py"""

import dataclasses

import keras
import numpy as np
import pytest

from kbert import Tokenizer, Vocabulary
from kbert.checkpoints.vocabulary_growth import extend_vocabulary
from kbert.errors import CheckpointError, InputError
from kbert.heads import build_head
from kbert.model import model_variables

ADDED = ["cats", "##xyz", "國", "國a", "[unused0]"]


@pytest.fixture(scope="module")
def old(tiny_bert, randomize):
    head = randomize(build_head("masked_lm", tiny_bert.encoder, tiny_bert.config))
    return dataclasses.replace(tiny_bert, heads={"masked_lm": head}, labels=("a", "b"))


@pytest.fixture(scope="module")
def new(old):
    return extend_vocabulary(
        old, Vocabulary.from_tokens([*old.tokenizer.vocabulary.tokens, *ADDED])
    )


def arrays(bert):
    return {
        name: keras.ops.convert_to_numpy(value).copy()
        for name, value in model_variables(bert).items()
    }


def test_every_old_weight_is_bit_identical(old, new):
    size = len(old.tokenizer.vocabulary)
    before, after = arrays(old), arrays(new)

    assert before.keys() == after.keys()
    for name, value in before.items():
        if name in ("embeddings/token", "masked_lm/bias"):
            assert len(after[name]) == size + len(ADDED)
            after[name] = after[name][:size]
        np.testing.assert_array_equal(after[name], value, strict=True)


def test_a_new_row_is_the_mean_of_its_old_pieces(old, new):
    ids = old.tokenizer.vocabulary.ids
    pieces = {
        "cats": [ids["cat"], ids["##s"]],
        "##xyz": [ids["##x"], ids["##y"], ids["##z"]],
    }
    for name in ("embeddings/token", "masked_lm/bias"):
        before, after = arrays(old)[name], arrays(new)[name]
        for token, its in pieces.items():
            row = after[new.tokenizer.vocabulary.ids[token]]
            np.testing.assert_allclose(row, before[its].mean(axis=0), rtol=1e-6)


def test_the_row_of_a_new_character_is_that_of_a_fresh_model(new):
    rows = arrays(new)["embeddings/token"][-3:]

    assert 0.01 < rows.std() < 0.03  # of a normal cut at two: 0.0176
    assert np.abs(rows).max() < 0.0401
    assert len(np.unique(rows)) == rows.size
    np.testing.assert_array_equal(arrays(new)["masked_lm/bias"][-3:], 0)


def test_texts_of_old_tokens_have_the_same_vectors(old, new):
    inputs = old.tokenizer(["the dog sat", "on the mat run"])

    np.testing.assert_array_equal(
        new.encoder(inputs)["sequence_output"], old.encoder(inputs)["sequence_output"]
    )
    assert new.tokenizer.tokenize(["cats"]).to_list() == [
        [len(old.tokenizer.vocabulary)]
    ]
    assert new.labels == old.labels


def test_rows_without_a_token_are_dropped(old):
    tokens = old.tokenizer.vocabulary.tokens
    spare = dataclasses.replace(old, tokenizer=Tokenizer(tokens[:-2]))

    new = extend_vocabulary(spare, Vocabulary.from_tokens([*tokens[:-2], "cats"]))

    assert new.config.vocabulary_size == len(tokens) - 1
    ids = spare.tokenizer.vocabulary.ids
    table = arrays(old)["embeddings/token"]
    np.testing.assert_allclose(
        arrays(new)["embeddings/token"][-1],
        (table[ids["cat"]] + table[ids["##s"]]) / 2,
        rtol=1e-6,
    )


def test_the_model_that_was_given_stays_as_it_is(old):
    before = arrays(old)
    tokens = old.tokenizer.vocabulary.tokens
    longer = extend_vocabulary(old, Vocabulary.from_tokens([*tokens, "cats"]))
    for variable in model_variables(longer).values():
        variable.assign(variable * 0)

    for name, value in arrays(old).items():
        np.testing.assert_array_equal(value, before[name])


def test_another_vocabulary_is_refused_at_its_first_difference(old):
    tokens = list(old.tokenizer.vocabulary.tokens)
    swapped = [*tokens[:6], tokens[7], tokens[6], *tokens[8:]]

    with pytest.raises(InputError, match=r"line 7: token 'cat'; expected 'dog', as in"):
        extend_vocabulary(old, Vocabulary.from_tokens(swapped))
    with pytest.raises(InputError, match=f"line {len(tokens)}: the vocabulary ends"):
        extend_vocabulary(old, Vocabulary.from_tokens(tokens[:-1]))


def test_a_model_without_vocabulary_is_refused(old):
    bare = dataclasses.replace(old, tokenizer=None)

    with pytest.raises(CheckpointError, match="the model has no vocabulary to extend"):
        extend_vocabulary(bare, old.tokenizer.vocabulary)
