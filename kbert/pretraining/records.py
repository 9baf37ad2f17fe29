"""Serialized pretraining records → rows of one length, and what is wrong with them."""

from typing import NamedTuple

import tensorflow as tf

from ..masking import MaskedTokens


class Rule(NamedTuple):
    """What has to hold for the numbers of a feature.

    Args:
        feature: its name in the record, or what is counted.
        values: the numbers, ``[B, …]``.
        right: bool, of the same shape.
        expected: what is right, for an error message.
    """

    feature: str
    values: tf.Tensor
    right: tf.Tensor
    expected: str


class Rows(NamedTuple):
    """Rows as the records hold them.

    Args:
        token_ids: int32 ``[B, T]``.
        segment_ids: int32 ``[B, T]``.
        num_tokens: int32 ``[B]``, tokens before the padding.
        labels: int32 ``[B]``, of the next sentence; zeros where there are none.
        masked: the masks that the records hold, or ``None``.
        rules: what has to hold, or else the rest is nonsense.
    """

    token_ids: tf.Tensor
    segment_ids: tf.Tensor
    num_tokens: tf.Tensor
    labels: tf.Tensor
    masked: MaskedTokens | None
    rules: tuple[Rule, ...]

    @property
    def wrong(self) -> tf.Tensor:
        """bool ``[B]``: the rows that break a rule."""
        return tf.reduce_any([_rows_with(~rule.right) for rule in self.rules], axis=0)


class RecordFormat(NamedTuple):
    """How the records of one length are written.

    Args:
        length: T, tokens of a row.
        vocabulary_size: V; ids are below it.
        pad_id: what fills a row.
        labelled: whether records say something of the next sentence.
        static_slots: M if records hold masks (Google's schema), else ``None``.
    """

    length: int
    vocabulary_size: int
    pad_id: int
    labelled: bool
    static_slots: int | None

    def parse(self, records: tf.Tensor) -> Rows:
        """Read a batch of serialized ``tf.train.Example``, string ``[B]``."""
        if self.static_slots is None:
            return self._parse_dynamic(records)
        return self._parse_static(records, self.static_slots)

    def _parse_dynamic(self, records: tf.Tensor) -> Rows:
        features = {
            "token_ids": tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
            "second_start": _numbers(),
        }
        if self.labelled:
            features["next_sentence_label"] = _numbers()
        read = tf.io.parse_example(records, features)
        ids, second = read["token_ids"].to_tensor(), read["second_start"]
        count = read["token_ids"].row_lengths()
        fits = (count > 0) & (count <= self.length)
        begins = (second > 0) & (second <= count)
        rules = [
            Rule("number of token_ids", count, fits, f"1 to {self.length}"),
            self._ids_rule("token_ids", ids),
            Rule("second_start", second, begins, "1 to the number of token_ids"),
        ]
        labels = tf.zeros_like(count)
        if self.labelled:
            labels = read["next_sentence_label"]
            rules.append(_binary_rule("next_sentence_label", labels))
        places = tf.range(self.length, dtype=tf.int64)
        in_second = (places >= second[:, None]) & (places < count[:, None])
        padded = read["token_ids"].to_tensor(self.pad_id, shape=[None, self.length])
        return Rows(
            token_ids=_int32(padded),
            segment_ids=_int32(in_second),
            num_tokens=_int32(count),
            labels=_int32(labels),
            masked=None,
            rules=tuple(rules),
        )

    def _parse_static(self, records: tf.Tensor, slots: int) -> Rows:
        features = {
            "input_ids": _numbers(self.length),
            "input_mask": _numbers(self.length),
            "segment_ids": _numbers(self.length),
            "masked_lm_positions": _numbers(slots),
            "masked_lm_ids": _numbers(slots),
            "masked_lm_weights": _numbers(slots, dtype=tf.float32),
        }
        if self.labelled:
            features["next_sentence_labels"] = _numbers(1)
        read = tf.io.parse_example(records, features)
        count = tf.reduce_sum(read["input_mask"], axis=1)
        places = tf.range(self.length, dtype=tf.int64)
        mask = tf.cast(places < count[:, None], tf.int64)
        positions = read["masked_lm_positions"]
        inside = (positions >= 0) & (positions < self.length)
        rules = [
            self._ids_rule("input_ids", read["input_ids"]),
            Rule(
                "input_mask",
                read["input_mask"],
                read["input_mask"] == mask,
                "ones, then zeros",
            ),
            _binary_rule("segment_ids", read["segment_ids"]),
            Rule("masked_lm_positions", positions, inside, f"0 to {self.length - 1}"),
            self._ids_rule("masked_lm_ids", read["masked_lm_ids"]),
            _binary_rule("masked_lm_weights", read["masked_lm_weights"]),
        ]
        labels = tf.zeros_like(count)
        if self.labelled:
            labels = read["next_sentence_labels"][:, 0]
            rules.append(_binary_rule("next_sentence_labels", labels))
        token_ids = _int32(read["input_ids"])
        return Rows(
            token_ids=token_ids,
            segment_ids=_int32(read["segment_ids"]),
            num_tokens=_int32(count),
            labels=_int32(labels),
            masked=MaskedTokens(
                token_ids,
                _int32(positions),
                _int32(read["masked_lm_ids"]),
                read["masked_lm_weights"],
            ),
            rules=tuple(rules),
        )

    def _ids_rule(self, feature: str, ids: tf.Tensor) -> Rule:
        right = (ids >= 0) & (ids < self.vocabulary_size)
        expected = f"an id of the vocabulary, 0 to {self.vocabulary_size - 1}"
        return Rule(feature, ids, right, expected)


def _numbers(*shape: int, dtype: tf.DType = tf.int64) -> tf.io.FixedLenFeature:
    return tf.io.FixedLenFeature(shape, dtype)


def _binary_rule(feature: str, values: tf.Tensor) -> Rule:
    return Rule(feature, values, (values == 0) | (values == 1), "0 or 1")


def _rows_with(flags: tf.Tensor) -> tf.Tensor:
    """bool ``[B, …]`` → bool ``[B]``: which rows have a true one."""
    return tf.reduce_any(flags, axis=list(range(1, flags.shape.rank)))


def _int32(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(values, tf.int32)
