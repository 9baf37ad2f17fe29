"""kbert/store/formats.py"""

import io
import json
import sys

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from kbert.errors import ConfigError, DependencyError, InputError, OutputError
from kbert.store import (
    EXPORT_FORMATS,
    FeatureChunk,
    FeatureStore,
    StoreWriter,
    export,
    formats,
    write_jsonl,
)

SHAPES = [((5,), "float32"), ((3, 2), "float16")]


@pytest.fixture(params=SHAPES, ids=["token float32", "stack float16"])
def made(request, make_store):
    row_shape, dtype = request.param
    store, _ = make_store(row_shape=row_shape, dtype=dtype)
    return store


def test_npz_holds_all_arrays(made, tmp_path):
    export(made, tmp_path / "x.npz", "npz")
    with np.load(tmp_path / "x.npz") as arrays:
        assert sorted(arrays) == ["features", "ids", "offsets", "status"]
        np.testing.assert_array_equal(arrays["features"], made.to_numpy(), strict=True)
        np.testing.assert_array_equal(arrays["offsets"], made.offsets, strict=True)
        np.testing.assert_array_equal(arrays["status"], made.status, strict=True)
        assert arrays["ids"].tolist() == [one["id"] for one in made.items()]


def test_jsonl_holds_numbers_that_are_exactly_the_same(made, tmp_path):
    export(made, tmp_path / "x.jsonl", "jsonl")
    lines = (tmp_path / "x.jsonl").read_text().splitlines()
    names = ["ok", "unk", "empty", "truncated"]

    assert len(lines) == len(made)
    for index, (line, record) in enumerate(zip(lines, made.items(), strict=True)):
        row = json.loads(line)
        status = [names.index(name) for name in row.pop("status")]
        vectors = np.array(row.pop("vectors"), made.dtype)
        np.testing.assert_array_equal(vectors.reshape(made[index].shape), made[index])
        start, stop = made.offsets[index : index + 2]
        assert status == made.status[start:stop].tolist()
        assert row == record


def test_jsonl_goes_to_a_stream_too(made, tmp_path):
    stream = io.BytesIO()
    write_jsonl(made, stream)
    export(made, tmp_path / "x.jsonl", "jsonl")

    assert stream.getvalue() == (tmp_path / "x.jsonl").read_bytes()


def test_hdf5_holds_all_arrays(made, tmp_path):
    export(made, tmp_path / "x.h5", "hdf5")
    with h5py.File(tmp_path / "x.h5") as file:
        np.testing.assert_array_equal(file["features"][:], made.to_numpy(), strict=True)
        np.testing.assert_array_equal(file["offsets"][:], made.offsets, strict=True)
        np.testing.assert_array_equal(file["status"][:], made.status, strict=True)
        items = [json.loads(text) for text in file["items"]]

    assert items == list(made.items())


def test_parquet_has_a_row_an_item(made, tmp_path):
    export(made, tmp_path / "x.parquet", "parquet")
    table = pq.read_table(tmp_path / "x.parquet")
    rows = table.to_pylist()

    assert table.column_names == ["id", "features", "status", "item"]
    assert [json.loads(row["item"]) for row in rows] == list(made.items())
    assert [row["id"] for row in rows] == [one["id"] for one in made.items()]
    for index, row in enumerate(rows):
        values = np.array(row["features"], made.dtype).reshape(made[index].shape)
        np.testing.assert_array_equal(values, made[index])
        assert len(row["status"]) == len(made[index])


def test_parquet_in_several_row_groups_keeps_the_numbers_of_items(
    tmp_path, monkeypatch, make_store
):
    store, _ = make_store()
    monkeypatch.setattr(formats, "_ROW_GROUP", 60)
    monkeypatch.setattr(FeatureStore, "items", lambda self: iter([{}] * 12))
    export(store, tmp_path / "x.parquet", "parquet")
    with pq.ParquetFile(tmp_path / "x.parquet") as file:
        assert file.num_row_groups > 2

    ids = pq.read_table(tmp_path / "x.parquet")["id"].to_pylist()
    assert ids == [str(index) for index in range(12)]


@pytest.mark.parametrize("name", ["npz", "jsonl", "parquet"])
def test_two_exports_give_the_same_bytes(made, tmp_path, name):
    for copy in "ab":
        export(made, tmp_path / copy, name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("name", EXPORT_FORMATS)
def test_a_file_that_exists_is_left_alone_unless_told(made, tmp_path, name):
    (tmp_path / "x").write_text("mine")
    with pytest.raises(OutputError, match="x: already exists"):
        export(made, tmp_path / "x", name)
    assert (tmp_path / "x").read_text() == "mine"
    export(made, tmp_path / "x", name, overwrite=True)

    assert (tmp_path / "x").read_bytes()[:4] != b"mine"


@pytest.mark.parametrize("name", EXPORT_FORMATS)
def test_an_export_that_fails_leaves_nothing(made, tmp_path, name):
    entries = {path.name for path in tmp_path.iterdir()}
    (made.path / "items.jsonl").write_text("damaged")
    with pytest.raises(InputError, match=r"items\.jsonl, line 1: not JSON"):
        export(made, tmp_path / "x", name)

    assert {path.name for path in tmp_path.iterdir()} == entries


@pytest.mark.parametrize("name", EXPORT_FORMATS)
def test_an_empty_store_can_be_exported(tmp_path, name):
    with StoreWriter(tmp_path / "out", settings={}, row_shape=(3,)) as out:
        out.finish()
    export(FeatureStore.open(tmp_path / "out"), tmp_path / "x", name)

    assert (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("name", "module", "message"),
    [
        ("hdf5", "h5py", r"hdf5 needs the package h5py\. .*pip install h5py"),
        ("parquet", "pyarrow", r"pyarrow\. .*pip install 'kbert\[parquet\]'"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    made, tmp_path, monkeypatch, name, module, message
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DependencyError, match=message):
        export(made, tmp_path / "x", name)


def test_an_unknown_format_is_refused(made, tmp_path):
    with pytest.raises(ConfigError, match="format='csv'; expected one of npz, jsonl"):
        export(made, tmp_path / "x", "csv")


def test_a_disk_that_is_too_small_is_found_before_writing(made, tmp_path, monkeypatch):
    class Usage:
        free = 10

    monkeypatch.setattr(formats.shutil, "disk_usage", lambda path: Usage)
    with pytest.raises(OutputError, match=r"needs about 0\.0 MB; expected at most the"):
        export(made, tmp_path / "x", "hdf5")


def test_an_id_too_long_for_npz_is_refused(tmp_path):
    chunk = FeatureChunk(
        np.ones((1, 3), "float32"),
        np.ones(1, "i8"),
        np.zeros(1, "u1"),
        [{"id": "x" * 1001}],
    )
    with StoreWriter(tmp_path / "out", settings={}, row_shape=(3,)) as out:
        out.append(chunk)
        out.finish()
    with pytest.raises(InputError, match="the id of item 0 has 1001 characters"):
        export(FeatureStore.open(tmp_path / "out"), tmp_path / "x", "npz")
