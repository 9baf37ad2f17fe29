"""kbert/store/checks.py, layout.py"""

import io as streams
import json
import os
import shutil

import numpy as np
import pytest

from kbert import io
from kbert.errors import KbertError
from kbert.store import FeatureStore
from kbert.store.layout import npy_bytes, npy_header, seal

FILES = (
    "features-00000-of-00002.npy",
    "features-00001-of-00002.npy",
    "offsets.npy",
    "status.npy",
    "items.jsonl",
    "README.md",
    "manifest.json",
)


@pytest.fixture
def store(make_store):
    """A store of exactly the files above."""
    made, _ = make_store(shard_bytes=300)
    assert sorted(path.name for path in made.path.iterdir()) == sorted(FILES)
    return made


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["first", "middle", "last", "cut", "grown", "gone"])
def test_verify_names_the_file_that_is_damaged(store, name, damage):
    path = store.path / name
    size = path.stat().st_size
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        os.truncate(path, size - 3)
    elif damage == "grown":
        path.write_bytes(path.read_bytes() + b"\0")
    else:
        flip(path, {"first": 0, "middle": size // 2, "last": size - 2}[damage])
    with pytest.raises(KbertError, match=name) as caught:
        FeatureStore.open(store.path).verify()

    assert "\n" not in str(caught.value)


def test_an_open_store_notices_damage_done_later(store):
    flip(store.path / "status.npy", -1)
    with pytest.raises(KbertError, match=r"status\.npy: damaged: SHA-256"):
        store.verify()


def test_any_change_of_the_manifest_is_noticed(store):
    path = store.path / "manifest.json"
    path.write_text(path.read_text().replace('"layers": [', '"layers": [0, '))
    with pytest.raises(KbertError, match=r"manifest\.json: damaged: its own digest"):
        FeatureStore.open(store.path)


def forge(store, change):
    """Change a manifest and seal it again, as somebody who means harm would."""
    path = store.path / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(seal(manifest)))


def rename_shard(manifest, name):
    manifest["files"][name] = manifest["files"].pop(FILES[0])
    manifest["shards"][0]["name"] = name


FORGED = {
    "other version": (lambda m: m.update(format=2), "format 2; expected 1"),
    "no shards": (lambda m: m.pop("shards"), "not a store's manifest: 'shards'"),
    "a list": (lambda m: m.update(files=[]), "not a store's manifest"),
    "dtype": (lambda m: m.update(dtype="object"), "dtype 'object'"),
    "rank": (lambda m: m.update(row_shape=[1, 2, 3]), r"row_shape \[1, 2, 3\]"),
    "negative": (lambda m: m.update(row_shape=[-5]), "no whole number from 0"),
    "huge": (lambda m: m.update(row_shape=[10**12]), r"expected \d{14} bytes"),
    "sum": (lambda m: m.update(rows=99), "rows of the shards add up to"),
    "file missing": (lambda m: m["files"].pop("items.jsonl"), "'items.jsonl'"),
    "outside": (lambda m: rename_shard(m, "../x.npy"), r"names the file '\.\./x\.npy'"),
    "absolute": (
        lambda m: rename_shard(m, "/etc/hosts"),
        "names the file '/etc/hosts'",
    ),
    "status": (
        lambda m: m["status"].update(ok=0, unk=0),
        r"status\.npy: damaged: counts",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_manifest_is_refused(store, name):
    change, message = FORGED[name]
    forge(store, change)
    with pytest.raises(KbertError, match=message):
        FeatureStore.open(store.path).verify()


def replace_array(store, name, values):
    path = store.path / name
    path.write_bytes(npy_header(values.shape, values.dtype.str) + values.tobytes())
    forge(store, lambda manifest: manifest["files"].update({name: io.file_entry(path)}))


def test_offsets_that_fall_are_refused(store):
    offsets = np.array(store.offsets)
    offsets[3] = offsets[4] + 1
    replace_array(store, "offsets.npy", offsets)
    with pytest.raises(KbertError, match=r"offsets\.npy: damaged: offsets fall"):
        FeatureStore.open(store.path).verify()
    with pytest.raises(KbertError, match="damaged: item 3 has rows that are not there"):
        FeatureStore.open(store.path)[3]


def test_offsets_that_do_not_end_where_the_rows_do_are_refused(store):
    offsets = np.array(store.offsets)
    offsets[-1] += 1
    replace_array(store, "offsets.npy", offsets)
    with pytest.raises(KbertError, match=rf"item 12 begins at row {offsets[-1]}"):
        FeatureStore.open(store.path).verify()


def test_a_line_too_few_in_the_items_is_refused(store):
    path = store.path / "items.jsonl"
    path.write_bytes(path.read_bytes().split(b"\n", 1)[1])
    forge(
        store,
        lambda manifest: manifest["files"].update({path.name: io.file_entry(path)}),
    )
    with pytest.raises(KbertError, match=r"items\.jsonl: 11 lines; expected 12"):
        FeatureStore.open(store.path).verify()


def test_a_link_out_of_the_folder_is_refused(store, tmp_path):
    shutil.move(store.path / "status.npy", tmp_path / "elsewhere.npy")
    (store.path / "status.npy").symlink_to(tmp_path / "elsewhere.npy")
    with pytest.raises(KbertError, match=r"status\.npy: leads to .*elsewhere\.npy"):
        FeatureStore.open(store.path)


def test_items_that_are_not_json_are_an_error_with_the_line(store):
    path = store.path / "items.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\xc3\xa91.0", b"\xff\xa91.0"))
    with pytest.raises(KbertError, match=r"items\.jsonl, line 4: not JSON"):
        list(store.items())


@pytest.mark.parametrize("shape", [(0,), (7,), (123_456_789_012,), (10**12, 25, 1024)])
@pytest.mark.parametrize("dtype", ["<f4", "<f2", "<i8", "|u1", "<U1000"])
def test_numpy_reads_a_header_of_fixed_length(shape, dtype):
    header = npy_header(shape, dtype)
    file = streams.BytesIO(header)
    version = np.lib.format.read_magic(file)

    assert version == (1, 0)
    assert np.lib.format.read_array_header_1_0(file) == (shape, False, np.dtype(dtype))
    assert file.tell() == len(header) == 128
    assert npy_bytes((2, 3), "<f4") == 128 + 24
