"""kbert/pretraining_data/tfrecords.py"""

import re

import numpy as np
import pytest
import tensorflow as tf

from kbert.errors import InputError
from kbert.pretraining_data.tfrecords import FRAME_BYTES, frame, read_records

CONTENTS = [b"", b"one", bytes(range(256)) * 3, b"\0" * 20]


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "shard.tfrecord"
    path.write_bytes(b"".join(map(frame, CONTENTS)))
    return path


def offsets():
    sizes = [len(content) + FRAME_BYTES for content in CONTENTS]
    return np.cumsum([0, *sizes]).tolist()


def test_tensorflow_reads_what_is_framed_here(shard):
    assert list(tf.data.TFRecordDataset(str(shard)).as_numpy_iterator()) == CONTENTS


def test_what_tensorflow_writes_is_read_here(tmp_path):
    path = str(tmp_path / "theirs.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for content in CONTENTS:
            writer.write(content)

    found = list(read_records(path))

    assert [record.content for record in found] == CONTENTS
    assert [record.offset for record in found] == offsets()[:-1]


def test_every_flipped_bit_is_found_in_its_record(shard):
    whole = shard.read_bytes()
    ends = np.array(offsets()[1:])
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        shard.write_bytes(damaged)
        number = int(np.searchsorted(ends, place, side="right"))
        what = f"record {number}, at byte {offsets()[number]}, is "
        if number == 0 and place < 12:
            what = "is no TFRecord file"

        with pytest.raises(InputError, match=re.escape(f"{shard}: {what}")):
            list(read_records(shard))


def test_every_cut_within_a_record_is_found(shard):
    whole = shard.read_bytes()
    for size in range(1, len(whole)):
        if size in offsets():
            continue  # nothing in the file tells; the manifest does
        shard.write_bytes(whole[:size])
        place = max(one for one in offsets() if one <= size)
        number = offsets().index(place)
        what = f"record {number}, at byte {place}, is cut short"
        if size < 12:
            what = "is no TFRecord file"

        with pytest.raises(InputError, match=re.escape(f"{shard}: {what}")):
            list(read_records(shard))


@pytest.mark.parametrize("more", [b"x", b"\n" * 30, b"\0" * 12, b"\xff" * 99])
def test_whatever_stands_behind_the_last_record_is_found(shard, more):
    shard.write_bytes(shard.read_bytes() + more)

    with pytest.raises(InputError, match=rf"record 4, at byte {offsets()[-1]}, is "):
        list(read_records(shard))


def test_a_file_of_another_kind_is_called_so(tmp_path):
    path = tmp_path / "text.tfrecord"
    path.write_text("Once upon a time there was a file.")

    with pytest.raises(InputError, match=r"text\.tfrecord: is no TFRecord file"):
        list(read_records(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.tfrecord: cannot be read: No such"):
        list(read_records(tmp_path / "none.tfrecord"))
