"""kbert/features/extraction.py"""

import json
import sys

import numpy as np
import pytest

from kbert import FeatureStore
from kbert.errors import ConfigError, DependencyError, InputError, OutputError
from kbert.features import chunks as chunks_module
from kbert.features.extraction import (
    ExtractionJob,
    estimate,
    extract_features_to,
    extract_to_stream,
)
from kbert.readers import ReaderOptions, read_items
from kbert.store import formats


def job_of(*paths, **changes):
    return ExtractionJob(inputs=[str(path) for path in paths], **changes)


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


def test_tags_that_are_not_those_of_words_are_left_out_of_the_records(engine, tmp_path):
    path = tmp_path / "four.jsonl"
    tags = ["[0, 3]", "null", '["sport"]', '["D", "N"]']
    path.write_text(
        "".join(f'{{"tokens": ["the", "cats"], "tags": {one}}}\n' for one in tags)
    )

    extract_features_to(engine(unit="word"), job_of(path), tmp_path / "out")

    records = FeatureStore.open(tmp_path / "out").items()
    assert [one.get("tags") for one in records] == [None, None, None, ["D", "N"]]


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


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_cannot_be_exported_to_is_told_before_the_work(
    engine, lines, tmp_path, overwrite
):
    (tmp_path / "dir").mkdir()
    with pytest.raises(OutputError, match="dir: is a folder; expected the name of a f"):
        extract_features_to(
            engine(),
            job_of(lines),
            tmp_path / "dir",
            output_format="npz",
            overwrite=overwrite,
        )
    assert [one.name for one in tmp_path.iterdir()] == ["dir"]


def test_a_missing_package_is_told_before_the_work(
    engine, lines, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "out.parquet"
    with pytest.raises(DependencyError, match="parquet needs the package pyarrow"):
        extract_features_to(engine(), job_of(lines), path, output_format="parquet")
    assert not [*tmp_path.iterdir()]


def test_vectors_outlive_an_export_that_fails(engine, lines, tmp_path, monkeypatch):
    path, given = tmp_path / "out.npz", {"output_format": "npz"}
    with monkeypatch.context() as patch:
        patch.setattr(formats, "MAX_ID_CHARACTERS", 0)
        with pytest.raises(InputError, match=r"All vectors are in .*out\.npz\.store: "):
            extract_features_to(engine(), job_of(lines), path, **given)
    encoded = []
    extract_features_to(
        engine(),
        job_of(lines),
        path,
        **given,
        resume=True,
        progress=lambda items, tokens: encoded.append(tokens),
    )

    assert path.exists()
    assert sum(encoded) == 0


def test_inputs_in_the_output_are_not_replaced(engine, lines, tmp_path):
    text = tmp_path / "out" / "a.txt"
    text.parent.mkdir()
    text.write_bytes(lines.read_bytes())
    with pytest.raises(OutputError, match=r"a\.txt: is read, and --overwrite"):
        extract_features_to(engine(), job_of(text), tmp_path / "out", overwrite=True)
    assert text.read_bytes() == lines.read_bytes()


def test_the_current_folder_is_not_replaced(engine, lines, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for output in (".", ""):
        with pytest.raises(OutputError, match=r"\.: is the current folder"):
            extract_features_to(engine(), job_of(lines), output, overwrite=True)


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
