"""Shards → an endless stream of records whose order is a function of a seed."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from ..masking.draws import key, permutation
from ..pretraining_data import Shard

# Nothing that tf.data calls here has a Python loop or branch on a tensor, which is what
# AutoGraph is for.
plain = tf.autograph.experimental.do_not_convert

_READ_BYTES = 1 << 20
_SHARD_ORDER, _RECORD_ORDER = 0, 1


class Record(NamedTuple):
    """One record of a stream, or a batch of them.

    Args:
        content: string, a serialized ``tf.train.Example``.
        number: int64, its place among all records of its split, from 0.
        epoch: int64, how often its stream was gone through before.
    """

    content: tf.Tensor
    number: tf.Tensor
    epoch: tf.Tensor


class NumberedShards(NamedTuple):
    """Some shards of a split.

    Args:
        paths: string ``[S]``.
        records: int64 ``[S]``, how many each one holds.
        first: int64 ``[S]``, the number of its first record in the split.
    """

    paths: tf.Tensor
    records: tf.Tensor
    first: tf.Tensor

    @classmethod
    def every(
        cls, shards: Sequence[Shard], *, step: int = 1, start: int = 0
    ) -> "NumberedShards":
        """Every ``step``-th shard of a split, from ``start`` on."""
        firsts, total = [], 0
        for shard in shards:
            firsts.append(total)
            total += shard.records
        own = shards[start::step]
        return cls(
            tf.constant([str(shard.path) for shard in own]),
            tf.constant([shard.records for shard in own], tf.int64),
            tf.constant(firsts[start::step], tf.int64),
        )

    def read(self, skip: tf.Tensor | int = 0) -> tf.data.Dataset:
        """(content, number) of each record in order; the first ``skip`` are left out.

        A shard with another number of records than it should have is an error.
        """
        ends = tf.cumsum(self.records)
        left_out = tf.clip_by_value(
            tf.cast(skip, tf.int64) - (ends - self.records), 0, self.records
        )
        some = left_out < self.records
        table = [*self, left_out]
        rows = [tf.boolean_mask(column, some) for column in table]
        return tf.data.Dataset.from_tensor_slices(tuple(rows)).flat_map(_read_shard)


def stream(
    shards: NumberedShards, *, seed: int, number: int, start: int, window: int
) -> tf.data.Dataset:
    """Go through shards again and again, each time in another order.

    In each epoch the shards are permuted, and then the records of each ``window`` of
    them. So a position is found without reading more than one window before it.

    Args:
        shards: with at least one record.
        seed: of the whole run.
        number: of this stream.
        start: records that were taken of it before.
        window: records that are shuffled at a time.

    Returns:
        An endless dataset of ``Record``.
    """
    total = int(tf.reduce_sum(shards.records))
    first_epoch, offset = divmod(start, total)

    @plain
    def read_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        skip = tf.where(epoch == first_epoch, tf.constant(offset, tf.int64), 0)
        count = len(shards.records)
        order = permutation(key(seed, _SHARD_ORDER, number, epoch), count)
        permuted = NumberedShards(*(tf.gather(column, order) for column in shards))

        def shuffle(index: tf.Tensor, records: tuple[tf.Tensor, ...]) -> Record:
            content, numbers = records
            one_key = key(seed, _RECORD_ORDER, number, epoch, index)
            order = permutation(one_key, tf.size(numbers))
            epochs = tf.fill(tf.shape(numbers), epoch)
            return Record(tf.gather(content, order), tf.gather(numbers, order), epochs)

        windows = permuted.read(skip // window * window).batch(window)
        shuffled = windows.enumerate(skip // window).map(shuffle)
        return shuffled.unbatch().skip(skip % window)

    return tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(read_epoch)


@plain
def _read_shard(
    path: tf.Tensor, records: tf.Tensor, first: tf.Tensor, skip: tf.Tensor
) -> tf.data.Dataset:
    contents = tf.data.TFRecordDataset(path, buffer_size=_READ_BYTES)
    whole = contents.apply(tf.data.experimental.assert_cardinality(records))
    numbers = tf.data.Dataset.range(first, first + records)
    return tf.data.Dataset.zip(whole, numbers).skip(skip)
