"""Shards of known pretraining records, and a stand-in for ``PretrainingData``."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from kbert import Vocabulary

LENGTH = 16
PIECES = [f"w{number}" for number in range(40)] + [f"##p{n}" for n in range(15)]
VOCABULARY = Vocabulary.from_tokens(
    ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PIECES]
)


class Shard(NamedTuple):
    path: Path
    records: int
    tokens: int


@dataclasses.dataclass
class Data:
    """A stand-in for ``PretrainingData``."""

    path: Path
    objective: str = "nsp"
    static_masks: bool = False
    vocabulary: Vocabulary = VOCABULARY
    lengths: tuple[int, ...] = (LENGTH,)
    splits: dict[str, tuple[Shard, ...]] = dataclasses.field(default_factory=dict)

    def shards(self, length: int, split: str = "train") -> tuple[Shard, ...]:
        return self.splits.get(split, ())

    def max_predictions(self, length: int) -> int:
        return 3


def example(**features: Any) -> bytes:
    """A serialized ``tf.train.Example`` of lists of int or float."""
    feature = {}
    for name, values in features.items():
        if any(isinstance(value, float) for value in values):
            one = tf.train.Feature(float_list=tf.train.FloatList(value=values))
        else:
            one = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        feature[name] = one
    message = tf.train.Example(features=tf.train.Features(feature=feature))
    return message.SerializeToString(deterministic=True)


def dynamic_record(number: int, labelled: bool = True) -> bytes:
    """Record ``number``: told from all others by its first two words."""
    random = np.random.default_rng(number)
    first, second = VOCABULARY.ids["w0"], VOCABULARY.ids["w20"]
    own = [first + number % 20, second + number // 20]
    rest = random.integers(first, len(VOCABULARY), random.integers(0, 10))
    sep = VOCABULARY.sep_id
    ids = [VOCABULARY.cls_id, *own, sep, *map(int, rest), sep][:LENGTH]
    label = {"next_sentence_label": [number % 2]} if labelled else {}
    return example(token_ids=ids, second_start=[4], **label)


def number_of(token_ids: np.ndarray) -> int:
    """The number of the record that ``dynamic_record`` made, from its words."""
    first, second = VOCABULARY.ids["w0"], VOCABULARY.ids["w20"]
    return int(token_ids[1] - first + 20 * (token_ids[2] - second))


def static_record(number: int) -> bytes:
    """A record of Google's schema, 16 long, with 3 places for predictions."""
    ids = [VOCABULARY.cls_id, *range(10, 10 + number % 5 + 1), VOCABULARY.sep_id]
    ids[1] = VOCABULARY.mask_id
    pad = [0] * (LENGTH - len(ids))
    return example(
        input_ids=ids + pad,
        input_mask=[1] * len(ids) + pad,
        segment_ids=[0] * (len(ids) - 1) + [1] + pad,
        masked_lm_positions=[1, 0, 0],
        masked_lm_ids=[10, 0, 0],
        masked_lm_weights=[1.0, 0.0, 0.0],
        next_sentence_labels=[number % 2],
    )


def write_shards(folder: Path, split: str, records: list[bytes], counts: list[int]):
    """Deal records out to shards of the given sizes."""
    assert sum(counts) == len(records)
    shards, start = [], 0
    for index, count in enumerate(counts):
        path = folder / f"{split}-{index}.tfrecord"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in records[start : start + count]:
                writer.write(record)
        shards.append(Shard(path, count, 0))
        start += count
    return tuple(shards)
