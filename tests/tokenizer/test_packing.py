"""kbert/tokenizer/packing.py"""

import numpy as np
import tensorflow as tf

from kbert.tokenizer.packing import longest_first, pack
from kbert.vocabulary import SPECIAL_TOKENS, Vocabulary

VOCABULARY = Vocabulary.from_tokens([*SPECIAL_TOKENS, *"abcdefgh"])  # [CLS] 2, [SEP] 3
FIRST = tf.ragged.constant([[5, 6, 7, 8], [9], []], tf.int32)
SECOND = tf.ragged.constant([[10, 11], [], [12]], tf.int32)


def packed(first, second=None, max_length=None, pad_to=None):
    inputs = pack(
        first, second, vocabulary=VOCABULARY, max_length=max_length, pad_to=pad_to
    )
    return {name: value.numpy().astype(int).tolist() for name, value in inputs.items()}


def test_one_part_stands_between_cls_and_sep():
    assert packed(FIRST) == {
        "token_ids": [[2, 5, 6, 7, 8, 3], [2, 9, 3, 0, 0, 0], [2, 3, 0, 0, 0, 0]],
        "segment_ids": [[0] * 6] * 3,
        "padding_mask": [[1] * 6, [1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]],
    }


def test_the_second_part_and_its_sep_are_segment_one():
    assert packed(FIRST, SECOND) == {
        "token_ids": [
            [2, 5, 6, 7, 8, 3, 10, 11, 3],
            [2, 9, 3, 3, 0, 0, 0, 0, 0],
            [2, 3, 12, 3, 0, 0, 0, 0, 0],
        ],
        "segment_ids": [
            [0, 0, 0, 0, 0, 0, 1, 1, 1],
            [0, 0, 0, 1, 0, 0, 0, 0, 0],
            [0, 0, 1, 1, 0, 0, 0, 0, 0],
        ],
        "padding_mask": [[1] * 9, [1, 1, 1, 1] + [0] * 5, [1, 1, 1, 1] + [0] * 5],
    }


def test_the_longer_part_is_cut_first():
    rows = packed(FIRST, SECOND, max_length=7)["token_ids"]

    assert rows[0] == [2, 5, 6, 3, 10, 11, 3]
    assert rows[2] == [2, 3, 12, 3, 0, 0, 0]


def test_a_fixed_length_cuts_nothing_by_itself_and_pads():
    assert packed(FIRST, pad_to=8)["token_ids"][1] == [2, 9, 3, 0, 0, 0, 0, 0]
    assert packed(FIRST, max_length=4, pad_to=5)["token_ids"][0] == [2, 5, 6, 3, 0]


def test_no_rows_and_only_empty_rows():
    assert packed(FIRST[:0])["token_ids"] == []
    assert packed(FIRST[2:], SECOND[1:2])["token_ids"] == [[2, 3, 3]]


def test_dtypes_are_int32_and_bool():
    inputs = pack(FIRST, None, vocabulary=VOCABULARY, max_length=None, pad_to=None)

    dtypes = {name: value.dtype for name, value in inputs.items()}
    assert dtypes == {
        "token_ids": tf.int32,
        "segment_ids": tf.int32,
        "padding_mask": tf.bool,
    }


def test_shortening_equals_popping_one_by_one_as_the_original_does():
    sizes = range(8)
    cases = [(a, b, room) for a in sizes for b in sizes for room in range(12)]
    for first, second, room in cases:
        left, right = first, second
        while left + right > room:
            if left > right:
                left -= 1
            else:
                right -= 1
        found = longest_first(
            tf.constant([first], tf.int64), tf.constant([second], tf.int64), room=room
        )

        assert np.concatenate(found).tolist() == [left, right], (first, second, room)
