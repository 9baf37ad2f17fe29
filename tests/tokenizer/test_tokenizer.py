"""kbert/tokenizer/tokenizer.py"""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from kbert import InputError, Tokenizer, Vocabulary
from kbert.tokenizer import parallel
from kbert.vocabulary import SPECIAL_TOKENS

TOKENS = [*SPECIAL_TOKENS, "un", "##aff", "##able", "boy", ".", "a", "##b", "A"]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(TOKENS)


def test_a_vocabulary_may_be_a_path_a_list_or_an_object(tmp_path, tokenizer):
    Vocabulary.from_tokens(TOKENS).save(tmp_path / "vocab.txt")
    for vocabulary in (
        tmp_path / "vocab.txt",
        str(tmp_path / "vocab.txt"),
        tokenizer.vocabulary,
    ):
        assert Tokenizer(vocabulary).tokenize(["unaffable boy"]).to_list() == [
            [5, 6, 7, 8]
        ]


def test_pieces_are_the_longest_from_the_left_or_unknown(tokenizer):
    found = tokenizer.tokenize(["Unaffable boy.", "boyish un", "", "abb"])

    assert found.to_list() == [[5, 6, 7, 8, 9], [1, 5], [], [10, 11, 11]]
    assert found.dtype == tf.int32


def test_a_word_of_201_characters_is_unknown_whatever_its_bytes(tokenizer):
    assert tokenizer.tokenize(["a" + "b" * 199]).row_lengths() == [200]
    assert tokenizer.tokenize(["a" + "b" * 200]).to_list() == [[1]]
    assert tokenizer.tokenize(["\U0001f600" * 200]).to_list() == [[1]]

    wide = Tokenizer([*SPECIAL_TOKENS, "\U0001f600", "##\U0001f600"])
    assert wide.tokenize(["\U0001f600" * 200]).row_lengths() == [200]
    assert wide.tokenize(["\U0001f600" * 201]).row_lengths() == [1]


def test_a_cased_tokenizer_keeps_case(tokenizer):
    cased = Tokenizer(TOKENS, lowercase=False)

    assert cased.tokenize(["A a"]).to_list() == [[12, 10]]
    assert tokenizer.tokenize(["A a"]).to_list() == [[10, 10]]
    assert (cased.lowercase, cased.strip_accents) == (False, False)
    assert (tokenizer.lowercase, tokenizer.strip_accents) == (True, True)


def test_inputs_have_special_tokens_segments_and_a_mask(tokenizer):
    inputs = tokenizer(["unaffable", "a"], ["boy.", ""], max_length=7)

    assert inputs["token_ids"].numpy().tolist() == [
        [2, 5, 6, 3, 8, 9, 3],
        [2, 10, 3, 3, 0, 0, 0],
    ]
    assert inputs["segment_ids"].numpy().tolist() == [
        [0, 0, 0, 0, 1, 1, 1],
        [0, 0, 0, 1, 0, 0, 0],
    ]
    assert inputs["padding_mask"].numpy().tolist() == [
        [True] * 7,
        [True] * 4 + [False] * 3,
    ]


def test_a_fixed_length_pads_and_truncates(tokenizer):
    inputs = tokenizer(["unaffable boy", "a"], pad_to=5)

    assert inputs["token_ids"].numpy().tolist() == [[2, 5, 6, 7, 3], [2, 10, 3, 0, 0]]


def test_no_texts_give_no_rows(tokenizer):
    assert tokenizer.tokenize([]).shape == [0, None]
    assert tokenizer([])["token_ids"].shape == [0, 0]
    assert tokenizer([], [], pad_to=4)["padding_mask"].shape == [0, 4]
    assert tokenizer.tokenize_words([]).by_word.shape[0] == 0
    assert [part.tolist() for part in tokenizer.encode_words([])] == [[], [0]]


def test_words_keep_their_place_even_if_nothing_is_left_of_them(tokenizer):
    words = [["unaffable", "\u200b", "a b", "\u0301"], [], ["", "boyish", "."]]
    found = tokenizer.tokenize_words(words)

    assert found.by_word.to_list() == [[[5, 6, 7], [], [10, 1], []], [], [[], [1], [9]]]
    assert found.token_ids.to_list() == [[5, 6, 7, 10, 1], [], [1, 9]]
    assert found.word_numbers.to_list() == [[0, 0, 0, 2, 2], [], [1, 2]]

    short = tf.ragged.constant(words, row_splits_dtype=tf.int32)
    assert tokenizer.tokenize_words(short).by_word.to_list() == found.by_word.to_list()
    ragged = tokenizer.tokenize_words(tf.ragged.constant(words))
    assert ragged.by_word.to_list() == found.by_word.to_list()
    assert ragged.word_numbers.to_list() == found.word_numbers.to_list()


def test_words_are_encoded_into_flat_arrays(tokenizer):
    ids, splits = tokenizer.encode_words(["unaffable", "\u200b", "a", "a", "zzz"])

    assert (ids.dtype, splits.dtype) == (np.int32, np.int64)
    assert ids.tolist() == [5, 6, 7, 10, 10, 1]
    assert splits.tolist() == [0, 3, 3, 4, 5, 6]


def test_many_texts_on_all_cores_are_in_order(tokenizer, monkeypatch):
    texts = [f"{'a' * (number % 5)} boy" for number in range(40)]
    expected = tokenizer.tokenize(texts).to_list()
    monkeypatch.setattr(parallel, "MIN_CHUNK", 3)
    monkeypatch.setattr(parallel.os, "cpu_count", lambda: 7)

    assert tokenizer.tokenize(texts).to_list() == expected
    assert tokenizer.encode_words(texts)[0].tolist() == [
        i for row in expected for i in row
    ]


def test_ids_are_written_as_text_again(tokenizer):
    inputs = tokenizer(["Unaffable boy.", "zzz"])

    assert tokenizer.decode(inputs["token_ids"]) == ["unaffable boy .", "[UNK]"]
    assert tokenizer.decode(tokenizer.tokenize(["a", ""])) == ["a", ""]
    assert tokenizer.decode([[2, 8, 4, 0]], keep_special=True) == [
        "[CLS] boy [MASK] [PAD]"
    ]
    assert tokenizer.id_to_token(7) == "##able"


def test_an_id_that_no_token_has_is_refused(tokenizer):
    with pytest.raises(InputError, match="token id 13; expected 0 to 12"):
        tokenizer.decode([[13]])
    with pytest.raises(InputError, match="token id -1"):
        tokenizer.id_to_token(-1)
    with pytest.raises(InputError, match=r"Put one row in a list: \[token_ids\]"):
        tokenizer.decode([5, 6])


def test_half_a_surrogate_pair_is_a_character_that_no_token_has(tokenizer):
    assert tokenizer.tokenize(["a\ud800b a", "\udfff"]).to_list() == [[1, 10], [1]]
    assert tokenizer.tokenize_with_offsets(["\ud83d a"]).starts.to_list() == [[0, 2]]


def test_bytes_that_are_not_utf8_count_as_replacement_characters(tokenizer):
    hostile = [b"a\xffb", b"\xe4 a", b"\xf0\x9f\x98", b"\xc0\x80a", b"\xed\xa0\x80"]
    replaced = [text.decode("utf-8", "replace") for text in hostile]

    expected = tokenizer.tokenize(replaced).to_list()
    assert tokenizer.tokenize(hostile).to_list() == expected
    assert tokenizer.tokenize(tf.constant(hostile)).to_list() == expected
    assert expected[:2] == [[10, 11], [10]]


def test_random_bytes_are_tokenized_as_python_decodes_them(tokenizer):
    random = np.random.default_rng(7)
    hostile = [random.bytes(30) + b" a" for _ in range(500)]
    replaced = [text.decode("utf-8", "replace") for text in hostile]

    assert (
        tokenizer.tokenize(hostile).to_list() == tokenizer.tokenize(replaced).to_list()
    )


def test_a_tokenizer_survives_copy_and_pickle():
    tokenizer = Tokenizer(TOKENS, lowercase=False, strip_accents=True)
    for twin in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert twin.vocabulary == tokenizer.vocabulary
        assert twin.tokenize(["A\u0301 a"]).to_list() == [[12, 10]]


def test_threads_may_share_a_tokenizer():
    tokenizer = Tokenizer(TOKENS)
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda _: tokenizer.tokenize(["a boy"]).to_list(), range(64))
        )

    assert found == [[[10, 8]]] * 64
