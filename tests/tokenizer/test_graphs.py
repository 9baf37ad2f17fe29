"""The tokenizer inside tf.data, tf.function and a SavedModel; its running time."""

import json
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from kbert import Tokenizer
from kbert.vocabulary import SPECIAL_TOKENS

TEXTS = ["Unable é", "", "a\u200ba ΑΣ", "zz a"]
STRINGS = tf.TensorSpec([None], tf.string)


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer([*SPECIAL_TOKENS, "un", "##able", "a", "e", "##a", "α", "##ς"])


def test_shapes_and_dtypes_are_known_in_tf_data(tokenizer):
    data = tf.data.Dataset.from_tensor_slices(TEXTS).batch(3)
    inputs = data.map(lambda texts: tokenizer(texts, texts, max_length=9)).element_spec
    fixed = data.map(lambda texts: tokenizer(texts, pad_to=6)).element_spec

    assert inputs == {
        "token_ids": tf.TensorSpec([None, None], tf.int32),
        "segment_ids": tf.TensorSpec([None, None], tf.int32),
        "padding_mask": tf.TensorSpec([None, None], tf.bool),
    }
    assert fixed["token_ids"] == tf.TensorSpec([None, 6], tf.int32)
    assert data.map(tokenizer.tokenize).element_spec == tf.RaggedTensorSpec(
        [None, None], tf.int32
    )


def test_a_graph_gives_what_eager_gives(tokenizer):
    expected = [[5, 6, 8], [], [7, 9, 10, 11], [1, 7]]
    data = tf.data.Dataset.from_tensor_slices(TEXTS).batch(3).map(tokenizer.tokenize)
    graph = tf.function(tokenizer.tokenize, input_signature=[STRINGS])
    offsets = tf.function(tokenizer.tokenize_with_offsets, input_signature=[STRINGS])

    assert tokenizer.tokenize(TEXTS).to_list() == expected
    assert graph(tf.constant(TEXTS)).to_list() == expected
    assert [row for batch in data for row in batch.to_list()] == expected
    placed, eager = offsets(tf.constant(TEXTS)), tokenizer.tokenize_with_offsets(TEXTS)
    for one, other in zip(placed, eager, strict=True):
        assert one.to_list() == other.to_list()


def test_a_tokenizer_first_used_inside_a_graph_works_outside_too():
    tokenizer = Tokenizer([*SPECIAL_TOKENS, "a"])
    data = tf.data.Dataset.from_tensors(["a"]).map(tokenizer.tokenize)

    assert [batch.to_list() for batch in data] == [[[5]]]
    assert tokenizer.tokenize(["a"]).to_list() == [[5]]


def test_one_string_in_tf_data_is_refused_with_advice(tokenizer):
    with pytest.raises(Exception, match="Batch the data set first"):
        tf.data.Dataset.from_tensor_slices(TEXTS).map(tokenizer.tokenize)


LOAD = """
import json, sys
import tensorflow as tf, tensorflow_text
model = tf.saved_model.load(sys.argv[1])
inputs = model(tf.constant(json.loads(sys.argv[2])))
print(json.dumps(inputs["token_ids"].numpy().tolist()))
"""


@pytest.mark.slow
def test_a_saved_model_holds_its_tokenizer(tokenizer, tmp_path):
    module = tf.Module()
    module.__call__ = tf.function(
        lambda texts: tokenizer(texts), input_signature=[STRINGS]
    )
    tf.saved_model.save(module, tmp_path / "model")
    run = subprocess.run(
        [sys.executable, "-c", LOAD, tmp_path / "model", json.dumps(TEXTS)],
        check=True,
        capture_output=True,
        text=True,
    )

    expected = tokenizer(TEXTS)["token_ids"].numpy().tolist()
    assert json.loads(run.stdout.splitlines()[-1]) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "sample",
    [
        "unable aa é ",
        ".,;:",
        "中文",
        "e\u0301\u0316",
        "\u302e\U0001d165",
        "a",
        "Σ'",
        "각",
    ],
)
def test_ten_times_the_text_takes_at_most_fifteen_times_as_long(tokenizer, sample):
    def least_seconds(size):
        text = (sample * size)[:size]
        times = []
        for _ in range(5):
            start = time.perf_counter()
            tokenizer.tokenize([text])
            times.append(time.perf_counter() - start)
        return min(times)

    least_seconds(1000)
    assert least_seconds(1_000_000) <= 15 * least_seconds(100_000) + 0.02
