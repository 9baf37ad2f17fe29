"""kbert/tokenizer/inputs.py: what is no list of texts is refused, with advice."""

import numpy as np
import pytest
import tensorflow as tf

from kbert import InputError, Tokenizer
from kbert.vocabulary import SPECIAL_TOKENS


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer([*SPECIAL_TOKENS, "a", "b"])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            "a b",
            r"one str; expected a list of str\. Put it in a list: \[texts\]",
        ),
        (b"a b", "texts is one bytes"),
        (None, "texts is of type NoneType; expected a list of str"),
        (3, "texts is of type int"),
        ({"a": 1}, "texts is of type dict"),
        (["a", None], r"texts\[1\] is None, of type NoneType; expected str\. R"),
        (["a", float("nan")], r"texts\[1\] is nan, of type float"),
        (
            [["a"]],
            r"texts\[0\] is \['a'\], of type list; expected str\. Words",
        ),
        (np.array([["a"]]), r"texts\[0\] is \['a'\]"),
        (
            tf.constant("a"),
            r"one string; expected a tensor of shape \[B\]\. Batch",
        ),
        (tf.constant([1]), "texts is a tensor of int32; expected string"),
        (tf.constant([["a"]]), r"texts has shape \(1, 1\); expected \[B\]"),
        (tf.ragged.constant([["a"]]), "texts is of type RaggedTensor"),
    ],
)
def test_what_is_no_list_of_texts(tokenizer, texts, message):
    for call in (tokenizer, tokenizer.tokenize, tokenizer.tokenize_with_offsets):
        with pytest.raises(InputError, match=message):
            call(texts)


def test_pairs_are_checked_as_texts_are(tokenizer):
    with pytest.raises(InputError, match=r"pairs is one str; .*: \[pairs\]"):
        tokenizer(["a"], "a")


@pytest.mark.parametrize(
    "texts",
    [("a", "b"), np.array(["a", "b"]), np.array(["a", "b"], object), iter(["a", "b"])],
)
def test_every_sequence_of_str_is_a_list_of_texts(tokenizer, texts):
    assert tokenizer.tokenize(texts).to_list() == [[5], [6]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("ab", "words is of type str; expected a list of lists of str"),
        (tf.constant(["ab"]), "words is of type EagerTensor"),
        (7, "words is of type int"),
        (["ab"], r"words\[0\] is one str; expected a list of str\. Put it in a list"),
        ([["a"], ["b", 1]], r"words\[1\]\[1\] is 1, of type int"),
    ],
)
def test_what_is_no_list_of_word_lists(tokenizer, words, message):
    with pytest.raises(InputError, match=message):
        tokenizer.tokenize_words(words)


def test_as_many_pairs_as_texts(tokenizer):
    with pytest.raises(InputError, match="1 texts with 2 pairs; expected a pair for"):
        tokenizer(["a"], ["a", "b"])

    strings = tf.TensorSpec([None], tf.string)
    graph = tf.function(
        lambda a, b: tokenizer(a, b), input_signature=[strings, strings]
    )
    with pytest.raises(tf.errors.InvalidArgumentError):
        graph(tf.constant(["a"]), tf.constant(["a", "b"]))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ({"max_length": 1}, "max_length=1; expected a whole number, at least 2 for"),
        ({"max_length": 2.5}, "max_length=2.5; expected a whole number"),
        ({"pad_to": 0}, "pad_to=0; expected a whole number"),
        (
            {"pairs": ["a"], "max_length": 2},
            "max_length=2; expected a whole number",
        ),
        (
            {"max_length": 9, "pad_to": 4},
            "max_length=9 with pad_to=4; expected max",
        ),
    ],
)
def test_lengths_that_cannot_be(tokenizer, lengths, message):
    with pytest.raises(InputError, match=message):
        tokenizer(["a"], **lengths)
