"""kbert/features/extraction.py"""

import contextlib
import dataclasses
import json
import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kbert import FeatureSettings, FeatureStore
from kbert.errors import ConfigError, InputError, OutputError, Stopped
from kbert.features import chunks as chunks_module
from kbert.features.engine import FeatureEngine
from kbert.features.extraction import (
    ExtractionJob,
    estimate,
    extract_features_to,
    extract_to_stream,
)
from kbert.readers import ReaderOptions, read_items

KILL_DRIVER = Path(__file__).with_name("kill_driver.py")
VOCABULARY = ["the", "dog", "cats", "sat", "on", "mats", "running", "zebra", "ß"]


def random_lines(count, seed=0):
    choose = random.Random(seed)
    lines = (
        " ".join(choose.choices(VOCABULARY, k=choose.randint(0, 14)))
        for _ in range(count)
    )
    return "".join(f"{line}\n" for line in lines)


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """150 lines; about one in fifteen is empty and ends a document."""
    path = tmp_path_factory.mktemp("input") / "lines.txt"
    path.write_text(random_lines(150))
    return path


@pytest.fixture(scope="module")
def engine(tiny_bert):
    """Gives the engine of some settings; each is made once."""
    made = {}

    def get(**choices):
        key = str(choices)
        if key not in made:
            made[key] = FeatureEngine(tiny_bert, FeatureSettings(**choices))
        return made[key]

    return get


def job_of(*paths, **changes):
    return ExtractionJob(inputs=[str(path) for path in paths], **changes)


def same_files(one, other):
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.parametrize("unit", ["token", "word", "sentence"])
def test_a_store_holds_what_the_engine_gives(engine, lines, tmp_path, unit):
    report = extract_features_to(engine(unit=unit), job_of(lines), tmp_path / "out")

    store = FeatureStore.open(tmp_path / "out")
    store.verify()
    features = engine(unit=unit)(list(read_items([str(lines)])))
    np.testing.assert_allclose(store.to_numpy(), features.values, atol=1e-5)
    assert np.array_equal(store.offsets, features.text_splits)
    assert np.array_equal(store.status, features.status)
    assert (report.items, report.rows) == (150, len(features.values))
    assert report.unk == (features.status == 1).sum() > 0
    assert report.empty == (features.status == 2).sum()


def test_words_and_tags_of_a_conll_file_are_in_the_records(engine, tmp_path):
    path = tmp_path / "two.conll"
    path.write_text("the D\ncats N\n\n-DOCSTART- X\n\nsat V\n")

    extract_features_to(engine(unit="word"), job_of(path), tmp_path / "out")

    assert list(FeatureStore.open(tmp_path / "out").items()) == [
        {
            "source": "two.conll",
            "line": 1,
            "document": 0,
            "pieces": 3,
            "words": ["the", "cats"],
            "tags": ["D", "N"],
        },
        {
            "source": "two.conll",
            "line": 6,
            "document": 1,
            "pieces": 1,
            "words": ["sat"],
            "tags": ["V"],
        },
    ]


def test_tokens_have_the_characters_that_they_come_from(engine, tmp_path):
    path = tmp_path / "mixed.jsonl"
    rows = [{"text": "The cat!"}, {"text": "the"}, {"text": ["the", "cat"]}]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    extract_features_to(engine(unit="token"), job_of(path), tmp_path / "out")

    first, second, third = FeatureStore.open(tmp_path / "out").items()
    assert first["tokens"] == ["the", "cat", "!"]
    assert first["offsets"] == [[0, 3], [4, 7], [7, 8]]
    assert second["offsets"] == [[0, 3]]
    assert "offsets" not in third  # words have no text around them


def test_pairs_and_ids_come_from_their_columns(engine, tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text('id,a,b\nx,the cat,"sat, on"\ny,dog,\n')
    reading = ReaderOptions(text_column="a", text_pair_column="b", id_column="id")

    extract_features_to(engine(), job_of(path, reading=reading), tmp_path / "out")

    store = FeatureStore.open(tmp_path / "out")
    expected = engine()(list(read_items([str(path)], reading))).values
    np.testing.assert_allclose(store.to_numpy(), expected, atol=1e-6)
    assert [item["id"] for item in store.items()] == ["x", "y"]


def test_float16_is_the_rounded_float32(engine, lines, tmp_path):
    for dtype in ("float32", "float16"):
        job = job_of(lines, store_dtype=dtype)
        extract_features_to(engine(), job, tmp_path / dtype)

    half = FeatureStore.open(tmp_path / "float16").to_numpy()
    full = FeatureStore.open(tmp_path / "float32").to_numpy()
    assert half.dtype == np.float16
    assert np.array_equal(half, full.astype("float16"))


def test_a_stack_has_an_axis_of_layers(engine, lines, tmp_path):
    stack = engine(layers="emb,-1", combine="stack")
    extract_features_to(stack, job_of(lines), tmp_path / "out")

    stored = FeatureStore.open(tmp_path / "out").to_numpy()
    concat = engine(layers="emb,-1")(list(read_items([str(lines)]))).values
    assert stored.shape == (150, 2, 12)
    np.testing.assert_allclose(stored.reshape(150, 24), concat, atol=1e-5)


def test_equal_texts_are_encoded_once_and_get_equal_vectors(engine, tmp_path):
    path = tmp_path / "repeated.txt"
    path.write_text("the cat\nsat\nthe cat\n\nsat\n\nthe  cat\n" * 3)

    report = extract_features_to(engine(unit="word"), job_of(path), tmp_path / "out")

    store = FeatureStore.open(tmp_path / "out")
    expected = engine(unit="word")(list(read_items([str(path)])))
    np.testing.assert_allclose(store.to_numpy(), expected.values, atol=1e-5)
    assert np.array_equal(store[0], store[2])
    assert [item["line"] for item in store.items()] == list(range(1, 22))
    # "the cat", "sat", "" and "the  cat", each with [CLS] and [SEP].
    assert report.tokens <= 4 + 3 + 2 + 4


def test_only_the_first_items_are_read_under_a_limit(engine, tmp_path):
    path = tmp_path / "bad_later.jsonl"
    path.write_text('{"text": "the"}\n{"text": "cat"}\nnot json\n')

    report = extract_features_to(engine(), job_of(path, limit=2), tmp_path / "out")

    assert report.items == 2


@pytest.mark.parametrize("unit", ["word", "sentence"])
def test_chunk_borders_inside_a_document_do_not_change_its_context(
    engine, lines, tmp_path, monkeypatch, unit
):
    job = job_of(lines)
    extract_features_to(engine(unit=unit, context="document"), job, tmp_path / "one")
    monkeypatch.setattr(chunks_module, "ITEMS_PER_CHUNK", 3)

    extract_features_to(engine(unit=unit, context="document"), job, tmp_path / "many")

    one, many = (FeatureStore.open(tmp_path / name) for name in ("one", "many"))
    np.testing.assert_allclose(one.to_numpy(), many.to_numpy(), atol=1e-5)
    plain = engine(unit=unit)(list(read_items([str(lines)]))).values
    assert np.abs(plain - one.to_numpy()).max() > 0.01


class StopAfter:
    """A progress function that stops the run after some chunks."""

    def __init__(self, chunks):
        self.left = chunks

    def __call__(self, items, tokens):
        self.left -= items > 0
        if self.left < 0:
            raise Stopped("enough")


@pytest.mark.parametrize("stops", [[2], [1, 1, 3]])
@pytest.mark.parametrize("choices", [{"unit": "word"}, {"context": "document"}])
def test_a_resumed_run_writes_the_same_bytes(engine, lines, tmp_path, stops, choices):
    job = job_of(lines, shard_bytes=1000)
    extract_features_to(engine(**choices), job, tmp_path / "whole")

    for chunks in stops:
        with pytest.raises(Stopped):
            extract_features_to(
                engine(**choices),
                job,
                tmp_path / "out",
                resume=True,
                progress=StopAfter(chunks),
            )
    items = []
    extract_features_to(
        engine(**choices),
        job,
        tmp_path / "out",
        resume=True,
        progress=lambda count, tokens: items.append(count),
    )

    same_files(tmp_path / "whole", tmp_path / "out")
    assert 0 < items[0] < 150  # not begun again
    assert sum(items) == 150
    assert len(list((tmp_path / "out").glob("features-*"))) > 3


def test_a_finished_store_is_not_done_again(engine, lines, tmp_path):
    extract_features_to(engine(), job_of(lines), tmp_path / "out")

    report = extract_features_to(engine(), job_of(lines), tmp_path / "out", resume=True)

    assert (report.items, report.tokens) == (150, 0)


@pytest.mark.parametrize(
    ("choices", "changes", "key"),
    [
        ({"layers": 1}, {}, r"features.layers was \[3\] and is now \[1\]"),
        ({"normalize": True}, {}, "features.normalize was false and is now true"),
        ({}, {"store_dtype": "float16"}, "dtype was .float32. and is now .float16."),
        ({}, {"limit": 7}, "limit was null and is now 7"),
        ({}, {"shard_bytes": 999}, "shard_bytes was 1000 and is now 999"),
    ],
)
def test_resuming_with_another_setting_names_it(
    engine, lines, tmp_path, choices, changes, key
):
    before = job_of(lines, shard_bytes=1000)
    with pytest.raises(Stopped):
        extract_features_to(engine(), before, tmp_path / "out", progress=StopAfter(2))

    job = dataclasses.replace(before, **changes)
    with pytest.raises(ConfigError, match=key):
        extract_features_to(engine(**choices), job, tmp_path / "out", resume=True)


def test_resuming_with_another_input_names_it(engine, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text(random_lines(80))
    job = job_of(path, shard_bytes=1000)
    with pytest.raises(Stopped):
        extract_features_to(engine(), job, tmp_path / "out", progress=StopAfter(2))
    path.write_text(random_lines(80, seed=1))

    with pytest.raises(ConfigError, match=r"inputs\[0\].sha256 was"):
        extract_features_to(engine(), job, tmp_path / "out", resume=True)


def test_a_pipe_cannot_be_resumed(engine, tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")

    with pytest.raises(ConfigError, match="a pipe cannot be resumed.*to a file first"):
        extract_features_to(
            engine(), job_of(tmp_path / "pipe.txt"), tmp_path / "out", resume=True
        )


def numbers_in(path, output_format):
    if output_format == "npz":
        with np.load(path) as arrays:
            return arrays["features"]
    if output_format == "jsonl":
        rows = map(json.loads, path.read_text().splitlines())
        return np.concatenate([np.array(row["vectors"], "float32") for row in rows])
    if output_format == "hdf5":
        import h5py

        with h5py.File(path) as file:
            return file["features"][:]
    import pyarrow.parquet as pq

    rows = pq.read_table(path)["features"].to_pylist()
    return np.array([vector for row in rows for vector in row], "float32")


@pytest.mark.parametrize("output_format", ["npz", "jsonl", "hdf5", "parquet"])
def test_every_format_holds_the_same_numbers(engine, lines, tmp_path, output_format):
    path = tmp_path / "out"
    extract_features_to(engine(), job_of(lines), tmp_path / "store")

    report = extract_features_to(
        engine(), job_of(lines), path, output_format=output_format
    )

    stored = FeatureStore.open(tmp_path / "store").to_numpy()
    assert np.array_equal(numbers_in(path, output_format), stored)
    assert report.path == path
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "store"]


def test_a_file_of_another_run_is_not_replaced_by_resuming(engine, lines, tmp_path):
    path = tmp_path / "out.npz"
    path.write_text("mine")

    with pytest.raises(OutputError, match="out.npz: already exists"):
        extract_features_to(
            engine(), job_of(lines), path, output_format="npz", resume=True
        )
    assert path.read_text() == "mine"


def test_a_stopped_export_is_resumed(engine, lines, tmp_path):
    job = job_of(lines, shard_bytes=1000)
    out = tmp_path / "out.npz"
    choices = {"output_format": "npz", "resume": True}
    with pytest.raises(Stopped):
        extract_features_to(engine(), job, out, **choices, progress=StopAfter(2))

    extract_features_to(engine(), job, out, **choices)

    assert numbers_in(out, "npz").shape == (150, 12)
    assert [path.name for path in tmp_path.iterdir()] == ["out.npz"]


def test_an_unknown_format_is_named(engine, lines, tmp_path):
    with pytest.raises(ConfigError, match="output_format='xls'; expected one of store"):
        extract_features_to(engine(), job_of(lines), tmp_path, output_format="xls")


def test_a_stream_gets_json_lines_and_nothing_before_the_end(engine, tmp_path):
    good, bad = tmp_path / "good.txt", tmp_path / "bad.csv"
    good.write_text("the cat\nsat\n")
    bad.write_text("text\nthe\nsat,on\n")
    with open(tmp_path / "out", "wb") as file:
        extract_to_stream(engine(), job_of(good), file)

    rows = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [row["line"] for row in rows] == [1, 2]
    with open(tmp_path / "out", "wb") as file, pytest.raises(InputError):
        extract_to_stream(engine(), job_of(bad), file)
    assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.parametrize(
    ("unit", "text", "items", "rows"),
    [
        ("sentence", "the cat\n\nsat on\n" * 200, 600, 600),
        ("word", "the cat\n\nsat on\n" * 200, 600, 800),
        ("token", "the cat\nsat on\n" * 300, 600, 1200),  # all lines alike
    ],
)
def test_an_estimate_counts_everything_and_writes_nothing(
    engine, tmp_path, unit, text, items, rows
):
    path = tmp_path / "a.txt"
    path.write_text(text)

    found = estimate(engine(unit=unit), job_of(path, store_dtype="float16"))

    assert (found.items, found.rows, found.bytes) == (items, rows, rows * 12 * 2)
    assert 0 < found.seconds < 60
    assert list(tmp_path.iterdir()) == [path]


@contextlib.contextmanager
def files_of_at_most(size):
    """What a full disk does, for files larger than that."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_clear_line_and_is_resumed(engine, lines, tmp_path):
    job = job_of(lines, shard_bytes=4000)
    extract_features_to(engine(), job, tmp_path / "whole")

    with (
        files_of_at_most(3000),
        pytest.raises(
            OutputError, match=r"features-00000.npy: cannot be written: File"
        ),
    ):
        extract_features_to(engine(), job, tmp_path / "out")
    extract_features_to(engine(), job, tmp_path / "out", resume=True)

    same_files(tmp_path / "whole", tmp_path / "out")


def kill(tiny_model, lines, folder, kills):
    arguments = [str(lines), "--model", str(tiny_model), "--shard-size", "0.0005"]
    done = subprocess.run(
        [sys.executable, KILL_DRIVER, folder, str(kills), *arguments],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_runs_killed_at_random_moments_are_resumed_to_the_same_bytes(
    tiny_model, lines, tmp_path
):
    result = kill(tiny_model, lines, tmp_path, 8)

    assert result["problems"] == []
    assert result["shards"] > 10
    assert len(result["shards_seen"]) >= 8
    assert max(result["shards_seen"]) > 0


@pytest.mark.slow
def test_50_runs_killed_at_random_moments_are_resumed_to_the_same_bytes(
    tiny_model, lines, tmp_path
):
    assert kill(tiny_model, lines, tmp_path, 50)["problems"] == []


def peak_memory(arguments):
    """The most memory that a run held, in bytes."""
    code = (
        "import resource, sys\n"
        "from kbert.cli.main import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["sentence", "word"])
def test_memory_does_not_grow_with_the_input(tiny_model, tmp_path, unit):
    path = tmp_path / "lines.txt"
    path.write_text(random_lines(200_000))
    run = ["extract-features", str(path), "--model", str(tiny_model), "--unit", unit]

    peaks = [
        peak_memory([*run, "-o", str(tmp_path / count), "--limit", count])
        for count in ("10000", "200000")
    ]

    assert peaks[1] < 1.1 * peaks[0]
