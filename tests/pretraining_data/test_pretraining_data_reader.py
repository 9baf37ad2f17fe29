"""kbert/pretraining_data/reader.py and foreign.py"""

import json
import re
import shutil

import pytest
import tensorflow as tf

from kbert import ConfigError, InputError, KbertError, PretrainingData, StaticMasks
from kbert.store.layout import seal


@pytest.fixture(scope="module")
def original(make):
    return make().path


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "data")


SHARD = "train-32-00001-of-00003.tfrecord"


def test_whole_data_opens_and_tells_what_it_is(folder):
    data = PretrainingData.open(folder)

    assert (data.objective, data.static_masks, data.lengths) == ("nsp", False, (32,))
    assert data.max_predictions(32) is None
    assert data.lowercase is False
    assert [shard.path.name for shard in data.shards(32)][1] == SHARD
    assert len(data.shards(32, "evaluation")) == 1
    assert data.vocabulary.tokens[5] == "w0"


def test_a_length_that_is_not_there_is_named(folder):
    data = PretrainingData.open(folder)

    for read in (data.shards, data.max_predictions):
        with pytest.raises(ConfigError, match="no rows of 64 tokens; .* one of 32"):
            read(64)


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def cut_between_records(path):
    from kbert.pretraining_data.tfrecords import read_records

    last = list(read_records(path))[-1]
    path.write_bytes(path.read_bytes()[: last.offset])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def repeat(path):
    from kbert.pretraining_data.tfrecords import frame, read_records

    first = next(read_records(path))
    path.write_bytes(path.read_bytes() + frame(first.content))


def swap(path):
    """Two records of one file change places."""
    from kbert.pretraining_data.tfrecords import frame, read_records

    first, second, *rest = (frame(one.content) for one in read_records(path))
    path.write_bytes(b"".join([second, first, *rest]))


DAMAGE = {
    "cut": (cut, r"record \d+, at byte \d+, is cut short"),
    "cut between records": (cut_between_records, r"\d+ records; expected \d+ as in"),
    "one bit": (flip, r"record \d+, at byte \d+, is damaged: its checksum"),
    "a record twice": (repeat, r"\d+ records; expected \d+ as in its manifest"),
    "two records swapped": (swap, r"damaged: SHA-256 \w+…; expected \w+…"),
    "gone": (lambda path: path.unlink(), "is missing"),
    "empty": (lambda path: path.write_bytes(b""), "0 records; expected"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=list(DAMAGE))
def test_a_damaged_shard_is_named_and_what_is_wrong_with_it(folder, damage, message):
    damage(folder / SHARD)

    with pytest.raises(InputError, match=f"{re.escape(SHARD)}: {message}") as caught:
        PretrainingData.open(folder)
    assert "\n" not in str(caught.value)
    PretrainingData.open(folder, verify=False)


def manifest_without(key):
    def change(path):
        manifest = json.loads(path.read_text())
        del manifest[key]
        path.write_text(json.dumps(seal(manifest)))

    return change


def manifest_with(**fields):
    def change(path):
        manifest = {**json.loads(path.read_text()), **fields}
        path.write_text(json.dumps(seal(manifest)))

    return change


def stolen_name(path):
    manifest = json.loads(path.read_text())
    manifest["sequences"]["32"]["train"][0]["name"] = "../secret"
    path.write_text(json.dumps(seal(manifest)))


MANIFEST_DAMAGE = {
    # The bit may fall on what makes it JSON.
    "one bit": (
        flip,
        r"manifest\.json(: damaged: its seal|, line \d+: not valid JSON)",
    ),
    "cut": (cut, r"manifest\.json, line \d+: not valid JSON"),
    "another kind": (manifest_with(kind="kbert store"), "is not of pretraining data"),
    "newer": (manifest_with(version=2), "version 2; expected 1. .* update kbert"),
    "odd objective": (manifest_with(objective="mlm"), "ValueError at objective 'mlm'"),
    "no vocabulary": (
        manifest_without("vocabulary"),
        "manifest.json: .* at 'vocabulary'",
    ),
    "no sequences": (manifest_without("sequences"), "manifest.json: .* at 'sequences'"),
    "a path": (stolen_name, r"names the file '\.\./secret'"),
}


@pytest.mark.parametrize(
    ("damage", "message"), MANIFEST_DAMAGE.values(), ids=list(MANIFEST_DAMAGE)
)
def test_a_damaged_manifest_is_named(folder, damage, message):
    damage(folder / "manifest.json")

    with pytest.raises(KbertError, match=message) as caught:
        PretrainingData.open(folder)
    assert "\n" not in str(caught.value)


def test_another_vocabulary_is_refused(folder):
    path = folder / "vocab.txt"
    path.write_text(path.read_text().replace("w17\n", "w17x\n"))

    with pytest.raises(InputError, match=r"vocab\.txt: another vocabulary than that"):
        PretrainingData.open(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="none: is no folder"):
        PretrainingData.open(tmp_path / "none")


# === Google's own files ===


@pytest.fixture
def foreign(make, tmp_path):
    """Records of Google's schema and nothing else, by other names."""
    static = StaticMasks(dupe_factor=1, max_predictions=4)
    data = make(static=static, evaluation_fraction=0)
    folder = tmp_path / "foreign"
    folder.mkdir()
    for number, shard in enumerate(data.shards(32)):
        shutil.copy(shard.path, folder / f"tf_examples.tfrecord-{number}")
    return folder, data


def test_records_of_googles_schema_need_no_manifest(foreign):
    folder, made = foreign
    data = PretrainingData.open(folder)

    assert (data.objective, data.static_masks, data.lengths) == ("nsp", True, (32,))
    assert data.max_predictions(32) == 4
    assert data.vocabulary is None
    assert data.lowercase is None
    assert data.shards(32, "evaluation") == ()
    found = [shard.records for shard in data.shards(32)]
    assert found == [shard.records for shard in made.shards(32)]


def test_a_vocabulary_beside_them_is_taken(foreign):
    folder, made = foreign
    made.vocabulary.save(folder / "vocab.txt")

    assert PretrainingData.open(folder).vocabulary == made.vocabulary


def write_examples(path, features):
    with tf.io.TFRecordWriter(str(path)) as writer:
        example = tf.train.Example()
        for name, values in features.items():
            example.features.feature[name].int64_list.value.extend(values)
        writer.write(example.SerializeToString())


def test_records_of_another_schema_are_refused(tmp_path):
    write_examples(tmp_path / "a.tfrecord", {"input_ids": [1], "label": [0]})

    message = r"a\.tfrecord: record 0 has no input_mask, masked_lm_ids.*; expected Goog"
    with pytest.raises(InputError, match=message):
        PretrainingData.open(tmp_path)


def test_a_record_that_is_no_example_is_refused(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        writer.write(b"\xff\xff\xff")

    with pytest.raises(InputError, match="record 0 is no tf.train.Example"):
        PretrainingData.open(tmp_path)


def test_files_of_two_lengths_are_refused(foreign, make):
    folder, _ = foreign
    static = StaticMasks(dupe_factor=1, max_predictions=4)
    other = make(static=static, sequence_lengths=(16,))
    shutil.copy(other.shards(16)[0].path, folder / "zz.tfrecord")

    with pytest.raises(InputError, match=r"zz.tfrecord: rows of 16 .*; expected 32"):
        PretrainingData.open(folder)


def test_a_damaged_file_of_googles_is_named(foreign):
    folder, _ = foreign
    flip(folder / "tf_examples.tfrecord-1")

    with pytest.raises(InputError, match=r"tfrecord-1: record \d+, at byte \d+, is"):
        PretrainingData.open(folder)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("none")

    with pytest.raises(InputError, match=r"neither a manifest\.json nor a \.tfrecord"):
        PretrainingData.open(tmp_path)
