"""An error while records are read → one that names the file, the record and the value.

Errors from tf.data say none of this, so the shards are read again, here, after one.
"""

import contextlib
import itertools
import re
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from ..errors import InputError
from ..pretraining_data import Shard
from ..pretraining_data.tfrecords import Record, read_records
from .records import RecordFormat

_BATCH = 512
_AGAIN = "Copy the file again from its source, or make the data anew."


@contextlib.contextmanager
def naming_bad_records(shards: Sequence[Shard], form: RecordFormat) -> Iterator[None]:
    """Turn an error of reading inside the block into one that names the record.

    Args:
        shards: those that are read in the block.
        form: how their records are written, see ``dataset.record_format``.

    Raises:
        InputError: reading failed because of a file or a record; other errors get
            through.
    """
    try:
        yield
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        # TensorFlow quotes a record in its message, which then may be no text at all.
        if isinstance(error, UnicodeDecodeError) or "IteratorGetNext" in str(error):
            for shard in shards:
                check_shard(shard, form)
        raise


def check_shard(shard: Shard, form: RecordFormat) -> None:
    """Read a whole shard.

    Raises:
        InputError: it is damaged, holds another number of records than it should, or a
            record that is no record of this kind, or whose numbers are out of range.
    """
    records = read_records(shard.path)
    first = 0
    while batch := list(itertools.islice(records, _BATCH)):
        _check_batch(shard, form, batch, first)
        first += len(batch)
    if first != shard.records:
        raise InputError(
            f"holds {first} records",
            where=shard.path,
            expected=f"{shard.records} as in the manifest",
            hint=_AGAIN,
        )


def _check_batch(
    shard: Shard, form: RecordFormat, batch: list[Record], first: int
) -> None:
    try:
        with tf.device("CPU:0"):
            rows = form.parse(tf.constant([record.content for record in batch]))
    except (tf.errors.InvalidArgumentError, UnicodeDecodeError) as error:
        if len(batch) > 1:
            for index, record in enumerate(batch):
                _check_batch(shard, form, [record], first + index)
            raise
        feature = re.search(r"(?:Key|Feature): (\w+)", str(error))
        what = f"feature {feature[1]!r}" if feature else "something"
        raise _bad_record(
            shard, first, batch[0], f"{what} is missing, or of another type or size"
        ) from error
    for rule in rows.rules:
        wrong = np.argwhere(~rule.right.numpy())
        if len(wrong):
            index = int(wrong[0, 0])
            value = rule.values.numpy()[tuple(wrong[0])]
            what = f"{rule.feature} holds {value}"
            raise _bad_record(
                shard, first + index, batch[index], what, expected=rule.expected
            )


def _bad_record(
    shard: Shard,
    number: int,
    record: Record,
    what: str,
    *,
    expected: str | None = None,
) -> InputError:
    return InputError(
        f"record {number}, at byte {record.offset}: {what}",
        where=shard.path,
        expected=expected,
        hint="Make the data anew, with this vocabulary and length.",
    )
