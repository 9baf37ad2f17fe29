"""kbert/pretraining_data/creation.py, blocks.py, tokenization.py and shards.py"""

import gzip
import io
import json
import lzma
import sys

import numpy as np
import pytest
import tensorflow as tf
from numbered_corpus import FIRST_WORD

from kbert import (
    ConfigError,
    InputError,
    OutputError,
    PretrainingData,
    PretrainingDataSettings,
    StaticMasks,
    Tokenizer,
    create_pretraining_data,
)
from kbert.pretraining_data import blocks
from kbert.vocabulary import SPECIAL_TOKENS, Vocabulary

CLS, SEP = 2, 3
LETTERS = Vocabulary.from_tokens([*SPECIAL_TOKENS, *"abcdef.", "ä", "A"])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """The corpus is several blocks."""
    monkeypatch.setattr(blocks, "BLOCK_CHARACTERS", 5000)


def contents(data):
    return {path.name: path.read_bytes() for path in data.path.iterdir()}


def examples(data, split="train", length=32):
    """Each record's features."""
    for shard in data.shards(length, split):
        count = tokens = 0
        for record in tf.data.TFRecordDataset(str(shard.path)).as_numpy_iterator():
            feature = tf.train.Example.FromString(record).features.feature
            found = {name: list(one.int64_list.value) for name, one in feature.items()}
            count, tokens = count + 1, tokens + len(found.get("token_ids", ()))
            yield found
        assert count == shard.records
        assert tokens == shard.tokens or data.static_masks


def parts_of(record):
    """The words of A and of B, after a look at the special tokens."""
    ids, start = record["token_ids"], record["second_start"][0]
    assert ids[0] == CLS
    assert ids[start - 1] == ids[-1] == SEP
    a, b = ids[1 : start - 1], ids[start:-1]
    assert min(a + b) >= FIRST_WORD
    return [one - FIRST_WORD for one in a], [one - FIRST_WORD for one in b]


def assert_running(words):
    assert words == list(range(words[0], words[0] + len(words)))


@pytest.fixture(scope="module")
def nsp(make):
    return make(evaluation_fraction=0.1)


def test_a_record_for_nsp_is_two_parts_and_a_label_that_is_true(nsp, corpus):
    assert nsp.objective == "nsp"
    document = corpus.documents
    for split in ("train", "evaluation"):
        labels = []
        for record in examples(nsp, split):
            assert len(record["token_ids"]) <= 32
            a, b = parts_of(record)
            assert_running(a)
            assert_running(b)
            (label,) = record["next_sentence_label"]
            assert (document[a[0]] != document[b[0]]) == label
            if not label:
                assert a[-1] < b[0]
                assert b[0] == a[-1] + 1 or len(a) + len(b) == 29
            labels.append(label)
        assert 0 < sum(labels) < len(labels)


def test_parts_for_nsp_begin_and_end_with_sentences_unless_the_row_is_full(nsp, corpus):
    starts = corpus.sentence_starts
    for record in examples(nsp):
        a, b = parts_of(record)
        if len(a) + len(b) < 29:
            assert {a[0], a[-1] + 1, b[0], b[-1] + 1} <= starts


def test_no_word_is_in_two_rows_or_lost_but_by_truncation(nsp, corpus):
    seen = []
    for split in ("train", "evaluation"):
        for record in examples(nsp, split):
            a, b = parts_of(record)
            seen += a if record["next_sentence_label"][0] else a + b
    held_out = nsp.manifest["counts"]["evaluation_documents"]
    truncated = nsp.manifest["sequences"]["32"]["train_counts"]["truncated_tokens"]

    assert len(seen) == len(set(seen))
    assert held_out == 6
    assert 0 < truncated <= corpus.words - len(seen)


def test_what_is_held_out_is_other_documents(nsp, corpus):
    document = corpus.documents
    train, evaluation = (
        {
            document[word]
            for record in examples(nsp, split)
            for word in sum(parts_of(record), [])
        }
        for split in ("train", "evaluation")
    )

    assert len(evaluation) == 6
    assert not train & evaluation
    assert train | evaluation == set(range(60))


def test_rows_for_sop_are_neighbours_swapped_half_of_the_time(make, corpus):
    data = make(objective="sop", evaluation_fraction=0)
    labels, count = [], 0
    for record in examples(data):
        a, b = parts_of(record)
        (label,) = record["next_sentence_label"]
        first, second = (b, a) if label else (a, b)
        assert second[0] == first[-1] + 1 or len(a) + len(b) == 29
        assert corpus.documents[first[0]] == corpus.documents[second[-1]]
        labels.append(label)
        count += len(a) + len(b)
    lost = data.manifest["sequences"]["32"]["train_counts"]

    assert abs(np.mean(labels) - 0.5) < 4 * np.sqrt(0.25 / len(labels))
    assert count + lost["truncated_tokens"] + lost["dropped_tokens"] == corpus.words
    assert lost["swapped"] == sum(labels)


def test_rows_of_one_part_hold_every_word_once_and_no_label(make, corpus):
    data = make(objective="none", evaluation_fraction=0)
    words = []
    for record in examples(data):
        assert set(record) == {"token_ids", "second_start"}
        assert record["second_start"] == [len(record["token_ids"])]
        a, b = parts_of(record)
        assert b == []
        words += a

    assert sorted(words) == list(range(corpus.words))


def test_two_lengths_are_as_if_each_was_made_alone(make):
    both = make(objective="none", sequence_lengths=(32, 64))
    alone = make(objective="none", sequence_lengths=(64,))

    assert both.lengths == (32, 64)
    for one, other in zip(both.shards(64), alone.shards(64), strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()


def test_rows_of_all_documents_are_spread_and_shuffled(make, corpus):
    data = make(objective="none", evaluation_fraction=0)
    shards = []
    for number in range(3):
        paths = [str(data.shards(32)[number].path)]
        records = tf.data.TFRecordDataset(paths).as_numpy_iterator()
        shards.append(
            [
                int(
                    corpus.documents[
                        feature["token_ids"].int64_list.value[1] - FIRST_WORD
                    ]
                )
                for feature in (
                    tf.train.Example.FromString(one).features.feature for one in records
                )
            ]
        )

    for found in shards:
        assert len(set(found)) == 20
        neighbours = np.mean(np.diff(found) == 0)
        assert neighbours < 0.2
        assert np.corrcoef(np.arange(len(found)), found)[0, 1] < 0.3


def test_the_seed_decides_everything(make):
    one, again, other = make(seed=1), make(seed=1), make(seed=2)

    assert contents(one) == contents(again)
    for shard, another in zip(one.shards(32), other.shards(32), strict=True):
        assert shard.path.read_bytes() != another.path.read_bytes()


def test_static_masks_are_written_in_copies_the_held_out_ones_once(make):
    static = StaticMasks(dupe_factor=3, max_predictions=6)
    data = make(static=static, evaluation_fraction=0.1)
    plain = make(evaluation_fraction=0.1)

    rows = [record["input_ids"] for record in examples(data)]
    assert data.static_masks
    assert data.max_predictions(32) == 6
    assert len(set(map(tuple, rows))) == len(rows)
    assert 2.5 < len(rows) / len(list(examples(plain))) < 3.5
    held_out = len(list(examples(data, "evaluation")))
    assert held_out == len(list(examples(plain, "evaluation")))


def test_the_manifest_says_what_is_there(make, corpus):
    data = make(evaluation_fraction=0.1)
    manifest = json.loads((data.path / "manifest.json").read_text())
    train = manifest["sequences"]["32"]["train"]

    assert manifest["kind"] == "kbert pretraining data"
    assert manifest["version"] == 1
    assert manifest["counts"] == {
        "documents": 60,
        "sentences": sum(map(len, corpus.lengths)),
        "tokens": corpus.words,
        "empty_documents": 0,
        "unknown_tokens": 0,
        "evaluation_documents": 6,
    }
    assert [one["name"] for one in train] == [
        f"train-32-0000{number}-of-00003.tfrecord" for number in range(3)
    ]
    assert manifest["inputs"][0]["name"] == "corpus.txt"
    assert {path.name for path in data.path.iterdir()} == {
        "manifest.json",
        "vocab.txt",
        "evaluation-32-00000-of-00001.tfrecord",
        *(one["name"] for one in train),
    }


# === Text ===


def made_of(make, tmp_path, text, name="a.txt", **settings):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    chosen = {"objective": "none", "shards": None, "already_split": False, **settings}
    return make(inputs=[path], vocabulary=LETTERS, **chosen)


def texts(data, length=32):
    tokens = data.vocabulary.tokens
    return sorted(
        " ".join(tokens[one] for one in record["token_ids"][1:-1])
        for record in examples(data, length=length)
    )


def test_sentences_are_split_unless_each_line_is_one(make, tmp_path):
    text = "a b. A c.\n"
    split = made_of(make, tmp_path, text, sequence_lengths=(8,))
    whole = made_of(make, tmp_path, text * 2, sequence_lengths=(8,), already_split=True)

    assert split.manifest["counts"]["sentences"] == 2
    assert whole.manifest["counts"]["sentences"] == 2
    assert texts(split, 8) == ["a b . A c ."]


def test_case_is_folded_as_the_vocabulary_looks_or_as_told(make, tmp_path):
    text = "A Ä\n"

    assert texts(made_of(make, tmp_path, text, lowercase=True)) == ["a a"]
    assert texts(made_of(make, tmp_path, text, lowercase=False)) == ["A [UNK]"]
    looks = made_of(make, tmp_path, text, lowercase=None)
    assert texts(looks) == ["A [UNK]"]
    assert looks.lowercase is looks.strip_accents is False


@pytest.mark.parametrize(
    ("lowercase", "strip_accents", "row"),
    [
        (True, None, "a a"),
        (True, False, "a ä"),
        (False, True, "A A"),
        (False, None, "A [UNK]"),
    ],
)
def test_accents_go_with_case_or_as_told(make, tmp_path, lowercase, strip_accents, row):
    how = {"lowercase": lowercase, "strip_accents": strip_accents}
    data = made_of(make, tmp_path, "A Ä\n", **how)

    assert texts(data) == [row]
    assert data.strip_accents is (lowercase if strip_accents is None else strip_accents)


def test_jsonl_and_compressed_files_are_read(make, tmp_path):
    lines = b'{"text": "a b"}\n{"text": "c\\nd"}\n'
    data = made_of(
        make, tmp_path, gzip.compress(lines), "a.jsonl.gz", evaluation_fraction=0
    )

    assert texts(data) == ["a b", "c d"]


def test_what_is_lost_is_counted(make, tmp_path):
    text = "a x b\n\n\u200b\n\nc \u4e2d\n\n\u200b\u200b\n"
    data = made_of(make, tmp_path, text, evaluation_fraction=0)

    assert texts(data) == ["a [UNK] b", "c [UNK]"]
    assert data.manifest["counts"]["empty_documents"] == 2
    assert data.manifest["counts"]["unknown_tokens"] == 2


def test_standard_input_is_read_but_cannot_be_resumed(make, tmp_path, monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO(b"a b\n\nc d\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    chosen = {"vocabulary": LETTERS, "objective": "none", "shards": None}
    data = make(inputs=["-"], evaluation_fraction=0, **chosen)

    assert texts(data) == ["a b", "c d"]
    with pytest.raises(ConfigError, match="standard input or a pipe cannot be resumed"):
        make(data.path, inputs=["-"], how={"resume": True}, **chosen)


# === Bad input ===


def nothing_left(folder):
    return [path.name for path in folder.iterdir() if "out" in path.name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a b\n", "the corpus is one document, .* objective sop or none"),
        ("\u200b\n".encode(), "nothing is left of the corpus"),
        (b"", r"a\.txt: holds no document"),
        (b"a\n\nb\n\nc \xff\n", r"a\.txt, line 5: byte 0xff .* is not UTF-8"),
    ],
)
def test_a_corpus_that_will_not_do_is_one_error_and_leaves_nothing(
    make, tmp_path, text, message
):
    path = tmp_path / "a.txt"
    path.write_bytes(text)

    with pytest.raises(InputError, match=message) as caught:
        make(tmp_path / "out", inputs=[path], vocabulary=LETTERS, shards=None)

    assert "\n" not in str(caught.value)
    assert nothing_left(tmp_path) == []


def test_a_corpus_of_single_words_has_no_rows_for_sop(make, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a\n\nb\n\nc\n")

    with pytest.raises(InputError, match="no document is long enough for a row"):
        make(
            tmp_path / "out",
            inputs=[path],
            vocabulary=LETTERS,
            objective="sop",
            shards=None,
        )


@pytest.mark.parametrize("workers", [0, -1, True, 2.0])
def test_a_number_of_workers_that_cannot_be_is_named(make, workers):
    with pytest.raises(ConfigError, match=f"workers={workers}"):
        make(workers=workers)


def test_an_output_that_exists_is_left_alone_unless_told(make, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("dear")

    with pytest.raises(OutputError, match=r"out: already exists\. .* --overwrite"):
        make(out)
    assert (out / "mine.txt").read_text() == "dear"
    make(out, how={"overwrite": True})
    assert not (out / "mine.txt").exists()
    assert PretrainingData.open(out).lengths == (32,)


def test_a_corpus_in_the_output_is_not_replaced(make, corpus, tmp_path):
    text = tmp_path / "out" / "corpus.txt"
    text.parent.mkdir()
    text.write_bytes(corpus.path.read_bytes())

    with pytest.raises(OutputError, match=r"corpus\.txt: is read, and --overwrite"):
        make(tmp_path / "out", inputs=[text], how={"overwrite": True})
    assert text.read_bytes() == corpus.path.read_bytes()


@pytest.mark.slow
@pytest.mark.real_data
def test_every_token_of_a_real_corpus_is_in_a_row(shared, tmp_path):
    vocabulary = shared / "data" / "vocab" / "bert-base-cased-vocab.txt"
    masc = shared / "data" / "pretrain_en" / "masc.txt.xz"
    text = lzma.decompress(masc.read_bytes())
    (tmp_path / "masc.txt").write_bytes(text)
    data = create_pretraining_data(
        [tmp_path / "masc.txt"],
        tmp_path / "out",
        vocabulary=vocabulary,
        settings=PretrainingDataSettings(objective="none", evaluation_fraction=0),
        workers=1,
    )
    found = [one for row in examples(data, length=128) for one in row["token_ids"]]
    found = np.bincount(found, minlength=28996)
    lines = text.decode("utf-8").split("\n")
    expected = Tokenizer(vocabulary, lowercase=False).tokenize(lines)
    expected = np.bincount(expected.values.numpy(), minlength=28996)

    differ = set(np.flatnonzero(found != expected).tolist())
    assert differ == {data.vocabulary.cls_id, data.vocabulary.sep_id}
    assert data.lowercase is False
