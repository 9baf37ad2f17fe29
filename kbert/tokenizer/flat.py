"""Rows of different lengths ↔ flat vectors, in time linear in the number of items.

``RaggedTensor.value_rowids`` and ``tf.repeat`` go through a [rows, longest row] mask.
"""

import tensorflow as tf


def splits_of(lengths: tf.Tensor) -> tf.Tensor:
    """int64 ``[rows + 1]``: where rows of these lengths begin; the end."""
    return tf.pad(tf.cumsum(tf.cast(lengths, tf.int64)), [[1, 0]])


def rows_of(splits: tf.Tensor) -> tf.Tensor:
    """int64 ``[items]``: the row that each item is in."""
    ones = tf.ones_like(splits)
    return (
        tf.cumsum(tf.math.unsorted_segment_sum(ones, splits, splits[-1] + 1))[:-1] - 1
    )


def lengths_of(rows: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """int64 ``[count]``: how many of the items are in each row."""
    return tf.math.unsorted_segment_sum(tf.ones_like(rows), rows, count)


def changes(rows: tf.Tensor) -> tf.Tensor:
    """bool ``[items]``: whether an item is the first of its row."""
    return tf.concat([tf.ones_like(rows[:1], tf.bool), rows[1:] != rows[:-1]], axis=0)


def shifted(flags: tf.Tensor) -> tf.Tensor:
    """bool ``[items]``: the flag of the item before; false for the first."""
    return tf.concat([tf.zeros_like(flags[:1]), flags[:-1]], axis=0)


def ragged(values: tf.Tensor | tf.RaggedTensor, splits: tf.Tensor) -> tf.RaggedTensor:
    """Rows of ``values``; ``splits`` are known to fit."""
    return tf.RaggedTensor.from_row_splits(values, splits, validate=False)
