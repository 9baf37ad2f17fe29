"""kbert/pretraining_data/examples.py"""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kbert.pretraining_data.examples import (
    Varints,
    example,
    floats_feature,
    integers_feature,
    varint,
)

EDGES = [0, 1, 127, 128, 16383, 16384, 2**21 - 1, 2**21, 2**28 - 1]


def encoded(values):
    array = np.array(values, np.int64)
    ((content,),) = [Varints(array).slices(np.array([0]), np.array([len(array)]))]
    return content


@given(st.lists(st.one_of(st.sampled_from(EDGES), st.integers(0, 2**28 - 1))))
def test_protobuf_reads_the_numbers(values):
    content = example([integers_feature("some", encoded(values))])

    found = tf.train.Example.FromString(content).features.feature["some"]

    assert list(found.int64_list.value) == values


def test_one_number_is_encoded_as_many_are():
    assert b"".join(map(varint, EDGES)) == encoded(EDGES)


def test_slices_are_of_values_not_of_bytes():
    values = np.array([5, 300, 70000, 1])
    slices = Varints(values).slices(np.array([0, 1, 4]), np.array([1, 3, 4]))

    assert slices == [encoded([5]), encoded([300, 70000]), b""]


@pytest.mark.parametrize("count", [0, 1, 40, 5000])
def test_an_example_is_what_protobuf_would_write(count):
    numbers = list(range(count))
    weights = np.linspace(0, 1, count, dtype="<f4")
    content = example(
        [
            integers_feature("a_label", varint(1)),
            floats_feature("b_weights", weights.tobytes()),
            integers_feature("c_ids", encoded(numbers)),
        ]
    )
    theirs = tf.train.Example()
    theirs.features.feature["a_label"].int64_list.value.append(1)
    theirs.features.feature["b_weights"].float_list.value.extend(weights.tolist())
    theirs.features.feature["c_ids"].int64_list.value.extend(numbers)

    assert tf.train.Example.FromString(content) == theirs


def test_tensorflow_parses_an_example():
    content = example([integers_feature("ids", encoded([7, 130, 99999]))])
    schema = {"ids": tf.io.FixedLenFeature([3], tf.int64)}

    parsed = tf.io.parse_single_example(content, schema)

    assert parsed["ids"].numpy().tolist() == [7, 130, 99999]
