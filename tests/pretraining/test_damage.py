"""kbert/pretraining/damage.py: what is wrong with records, and that training says so"""

import pytest
import tensorflow as tf
from pretraining_records import (
    LENGTH,
    Data,
    Shard,
    dynamic_record,
    example,
    static_record,
    write_shards,
)

from kbert import InputError
from kbert.masking import MaskingSettings
from kbert.pretraining.damage import check_shard, naming_bad_records
from kbert.pretraining.dataset import record_format, training_dataset

GOOD = {"token_ids": [3, 6, 4], "second_start": [3], "next_sentence_label": [0]}


def read_all(data):
    """Two epochs under the eyes of naming_bad_records."""
    dataset = training_dataset(
        data,
        length=LENGTH,
        batch_size=2,
        masking=None if data.static_masks else MaskingSettings(),
        seed=1,
    )
    count = sum(shard.records for shard in data.shards(LENGTH))
    with naming_bad_records(data.shards(LENGTH), record_format(data, LENGTH)):
        return list(dataset.take(count))


def dynamic(folder, *records):
    shards = write_shards(
        folder, "train", [dynamic_record(0), *records], [1, len(records)]
    )
    return Data(folder, splits={"train": shards})


def test_good_records_are_read(tmp_path):
    assert len(read_all(dynamic(tmp_path, example(**GOOD)))) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"token_ids": [3, 61, 4]},
            "token_ids holds 61; expected an id of the vocabulary, 0 to 60. Make the",
        ),
        ({"token_ids": [3, -1, 4]}, "token_ids holds -1; expected an id of the"),
        ({"token_ids": [3, 2**40, 4]}, f"token_ids holds {2**40}; expected"),
        ({"token_ids": []}, "number of token_ids holds 0; expected 1 to 16"),
        ({"token_ids": [6] * 17}, "number of token_ids holds 17; expected 1 to 16"),
        ({"second_start": [4]}, "second_start holds 4; expected 1 to the number of"),
        ({"second_start": [0]}, "second_start holds 0; expected 1 to the number of"),
        ({"next_sentence_label": [2]}, "next_sentence_label holds 2; expected 0 or 1"),
        ({"second_start": [1, 2]}, "feature 'second_start' is missing, or of another"),
        ({"second_start": [1.0]}, "feature 'second_start' is missing, or of another"),
        ({"token_ids": [0.5]}, "feature 'token_ids' is missing, or of another type"),
        ({"next_sentence_label": None}, "feature 'next_sentence_label' is missing"),
        ({"token_ids": None}, "number of token_ids holds 0; expected 1 to 16"),
    ],
)
def test_a_record_out_of_bounds_is_named(tmp_path, changes, message):
    features = {**GOOD, **changes}
    bad = example(**{name: one for name, one in features.items() if one is not None})
    data = dynamic(tmp_path, dynamic_record(1), bad, dynamic_record(2))

    offset = 16 + len(dynamic_record(1))
    with pytest.raises(InputError) as caught:
        check_shard(data.shards(LENGTH)[1], record_format(data, LENGTH))
    start = f"{tmp_path}/train-1.tfrecord: record 1, at byte {offset}: {message}"
    assert str(caught.value).startswith(start)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_ids": [3, 61] + [0] * 14}, "input_ids holds 61; expected an id of"),
        ({"input_mask": [0, 1] + [0] * 14}, "input_mask holds 0; expected ones, then"),
        ({"input_mask": [2] + [0] * 15}, "input_mask holds 2; expected ones, then"),
        ({"segment_ids": [2] + [0] * 15}, "segment_ids holds 2; expected 0 or 1"),
        ({"masked_lm_positions": [16, 0, 0]}, "masked_lm_positions holds 16; expected"),
        ({"masked_lm_positions": [-1, 0, 0]}, "masked_lm_positions holds -1; expected"),
        ({"masked_lm_ids": [61, 0, 0]}, "masked_lm_ids holds 61; expected an id of"),
        (
            {"masked_lm_weights": [float("nan"), 0.0, 0.0]},
            "masked_lm_weights holds nan",
        ),
        ({"next_sentence_labels": [3]}, "next_sentence_labels holds 3; expected 0 or"),
        ({"input_ids": [3] * 15}, "feature 'input_ids' is missing, or of another type"),
        ({"masked_lm_ids": [3] * 4}, "feature 'masked_lm_ids' is missing, or of"),
    ],
)
def test_a_static_record_out_of_bounds_is_named(tmp_path, changes, message):
    bad = tf.train.Example.FromString(static_record(1))
    bad.MergeFromString(example(**changes))
    shards = write_shards(
        tmp_path, "train", [static_record(0), bad.SerializeToString()], [2]
    )
    data = Data(tmp_path, static_masks=True, splits={"train": shards})

    with pytest.raises(InputError) as caught:
        check_shard(*data.shards(LENGTH), record_format(data, LENGTH))
    assert f"train-0.tfrecord: record 1, at byte {16 + len(static_record(0))}: " in str(
        caught.value
    )
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [{"token_ids": [3, -1, 4]}, {"token_ids": [6] * 17}, {"second_start": [1, 2]}],
)
def test_training_never_sees_a_record_out_of_bounds(tmp_path, changes):
    data = dynamic(tmp_path, dynamic_record(1), example(**{**GOOD, **changes}))

    with pytest.raises(InputError, match=r"train-1.tfrecord: record 1, at byte"):
        read_all(data)


def test_no_example_at_all_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"train-1.tfrecord: record 0, at byte 0: some"
    ):
        read_all(dynamic(tmp_path, b"\xff\xff\xff"))


def test_a_flipped_bit_is_named(tmp_path):
    data = dynamic(tmp_path, dynamic_record(1), dynamic_record(2))
    path = data.shards(LENGTH)[1].path
    content = bytearray(path.read_bytes())
    offset = 16 + len(dynamic_record(1))
    content[offset + 20] ^= 4
    path.write_bytes(content)

    with pytest.raises(
        InputError, match=rf"tfrecord: record 1, at byte {offset}, is d"
    ):
        read_all(data)


@pytest.mark.parametrize("kept", ["half of a record", "one whole record"])
def test_a_file_cut_short_is_named(tmp_path, kept):
    data = dynamic(tmp_path, dynamic_record(1), dynamic_record(2))
    path = data.shards(LENGTH)[1].path
    size = 16 + len(dynamic_record(1))
    path.write_bytes(path.read_bytes()[: size + (9 if kept.startswith("half") else 0)])

    found = "record 1, at byte" if kept.startswith("half") else "holds 1 records; exp"
    with pytest.raises(InputError, match=f"train-1.tfrecord: {found}"):
        read_all(data)


def test_records_at_the_end_that_nobody_wrote_are_named(tmp_path):
    data = dynamic(tmp_path, dynamic_record(1))
    path = data.shards(LENGTH)[1].path
    path.write_bytes(2 * path.read_bytes())

    with pytest.raises(
        InputError, match=r"train-1.tfrecord: holds 2 records; expected 1"
    ):
        read_all(data)


def test_a_missing_file_is_named(tmp_path):
    data = dynamic(tmp_path, dynamic_record(1))
    data.shards(LENGTH)[1].path.unlink()

    with pytest.raises(InputError, match="train-1.tfrecord: cannot be read: No such"):
        read_all(data)


def test_errors_that_have_nothing_to_do_with_the_data_get_through(tmp_path):
    missing = (Shard(tmp_path / "absent", 1, 1),)
    form = record_format(Data(tmp_path), LENGTH)

    with (
        pytest.raises(tf.errors.InvalidArgumentError, match="not the data"),
        naming_bad_records(missing, form),
    ):
        raise tf.errors.InvalidArgumentError(None, None, "not the data")
