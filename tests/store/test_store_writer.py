"""kbert/store/writer.py, working.py, shard.py, assembly.py, chunks.py"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kbert.errors import ConfigError, InputError, OutputError
from kbert.store import FeatureChunk, FeatureStore, StoreWriter


def writer(path, **changes):
    settings = {"layers": [-1], "inputs": [{"name": "a", "bytes": 3}]}
    options = {"settings": settings, "row_shape": (5,), "shard_bytes": 200, **changes}
    return StoreWriter(path, **options)


def write(path, chunks, **changes):
    with writer(path, **changes) as out:
        append_all(out, chunks)
        out.finish()


def append_all(out, chunks):
    for chunk in chunks:
        out.append(chunk)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_two_runs_give_the_same_bytes(tmp_path, make_chunks):
    for name in ("a", "b"):
        write(tmp_path / name, make_chunks())

    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_shard_ends_with_the_chunk_that_fills_it(tmp_path, make_chunks):
    chunks = make_chunks(count=12)
    write(tmp_path / "out", chunks, shard_bytes=300)
    expected, rows = [], 0
    for chunk in chunks:
        rows += len(chunk.status)
        if rows * 5 * 4 >= 300:
            expected, rows = [*expected, rows], 0
    expected += [rows] if rows else []
    shards = FeatureStore.open(tmp_path / "out").manifest["shards"]

    assert len(expected) > 2
    assert [shard["rows"] for shard in shards] == expected
    assert shards[0]["name"] == f"features-00000-of-{len(expected):05d}.npy"


def test_numpy_alone_reads_every_array(make_store):
    store, chunks = make_store(shard_bytes=10**6)
    (shard,) = store.path.glob("features-*.npy")

    np.testing.assert_array_equal(
        np.load(shard, mmap_mode="r"), np.concatenate([one.features for one in chunks])
    )
    np.testing.assert_array_equal(
        np.load(store.path / "status.npy"),
        np.concatenate([one.status for one in chunks]),
    )
    lengths = np.concatenate([one.rows_per_item for one in chunks])
    np.testing.assert_array_equal(np.diff(np.load(store.path / "offsets.npy")), lengths)


def test_the_manifest_has_settings_counts_and_summary_but_no_path(make_store, tmp_path):
    store, chunks = make_store(summary={"windows": 2})
    status = np.concatenate([chunk.status for chunk in chunks])
    text = (store.path / "manifest.json").read_text()

    assert store.manifest["settings"] == {"layers": [-1]}
    assert store.manifest["summary"] == {"windows": 2}
    assert store.manifest["dim"] == 5
    assert (store.manifest["items"], store.manifest["rows"]) == (12, len(status))
    assert store.manifest["status"] == {
        name: int((status == code).sum())
        for code, name in enumerate(("ok", "unk", "empty", "truncated"))
    }
    assert str(tmp_path) not in text


def test_resuming_begins_after_the_last_committed_shard(tmp_path, make_chunks):
    chunks = make_chunks(count=8)
    write(tmp_path / "good", chunks, shard_bytes=500)
    with (
        pytest.raises(ZeroDivisionError),
        writer(tmp_path / "out", shard_bytes=500) as out,
    ):
        for chunk in chunks[:6]:
            out.append(chunk)
        committed = out.items_done
        1 / 0  # noqa: B018
    assert not (tmp_path / "out").exists()
    with writer(tmp_path / "out", shard_bytes=500, resume=True) as out:
        assert 0 < out.items_done == committed < 18
        assert out.rows_done == sum(
            len(one.status) for one in chunks[: out.items_done // 3]
        )
        for chunk in chunks[out.items_done // 3 :]:
            out.append(chunk)
        out.finish()

    assert contents(tmp_path / "out") == contents(tmp_path / "good")


def test_resuming_a_whole_store_says_that_it_is_complete(tmp_path, make_chunks):
    write(tmp_path / "out", make_chunks())
    before = contents(tmp_path / "out")
    with writer(tmp_path / "out", resume=True) as out:
        assert out.complete
        assert out.items_done == 12
        out.finish()

    assert contents(tmp_path / "out") == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "unfinished"])
def test_resuming_with_other_settings_names_each_difference(
    tmp_path, make_chunks, whole
):
    with writer(tmp_path / "out") as out:
        append_all(out, make_chunks())
        if whole:
            out.finish()
    changed = {"layers": [-2], "inputs": [{"name": "a", "bytes": 4}], "unit": "word"}
    with pytest.raises(ConfigError) as caught:
        write(tmp_path / "out", [], settings=changed, shard_bytes=9, resume=True)

    assert re.search(
        r"inputs\[0\]\.bytes was 3 and is now 4; layers was \[-1\] and is now \[-2\]; "
        r'unit was not set and is now "word"; shard_bytes was 200 and is now 9',
        str(caught.value),
    )


def test_an_output_that_exists_is_left_alone(tmp_path, make_chunks):
    write(tmp_path / "out", make_chunks())
    before = contents(tmp_path / "out")
    with pytest.raises(OutputError, match="out: already exists.*--overwrite"):
        write(tmp_path / "out", [])

    assert contents(tmp_path / "out") == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_overwriting_keeps_the_old_store_until_the_new_one_is_whole(
    tmp_path, make_chunks
):
    write(tmp_path / "out", make_chunks(count=1))
    with writer(tmp_path / "out", overwrite=True) as out:
        out.append(make_chunks()[0])
        assert len(FeatureStore.open(tmp_path / "out")) == 3
        out.append(make_chunks()[1])
        out.finish()

    assert len(FeatureStore.open(tmp_path / "out")) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("target", ["big", "big/empty"])
def test_a_link_stays_and_the_folder_it_names_is_filled(tmp_path, make_chunks, target):
    (tmp_path / "big" / "empty").mkdir(parents=True)
    write(tmp_path / "plain", make_chunks())
    (tmp_path / "out").symlink_to(target)
    write(tmp_path / "out", make_chunks(), overwrite=target == "big")

    assert (tmp_path / "out").readlink() == Path(target)
    assert contents(tmp_path / target) == contents(tmp_path / "plain")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("output", ["", ".", ".."])
def test_the_current_folder_is_not_written_over(
    tmp_path, monkeypatch, output, overwrite
):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("text")
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(OutputError, match="is the current folder, or above it"):
        write(output, [], overwrite=overwrite)

    assert (tmp_path / "work" / "thesis.tex").read_text() == "text"
    assert len(list(tmp_path.rglob("*"))) == 2


def test_an_old_store_moved_away_by_a_killed_finish_is_put_back(tmp_path, make_chunks):
    write(tmp_path / "out", make_chunks())
    before = contents(tmp_path / "out")
    for way_on in ("resume", "overwrite"):
        with writer(tmp_path / "out", overwrite=True) as out:
            append_all(out, make_chunks())
        (tmp_path / "out").rename(tmp_path / "out.partial" / "replaced")
        with writer(tmp_path / "out", **{way_on: True}):
            assert contents(tmp_path / "out") == before


def test_a_store_is_not_both_resumed_and_replaced(tmp_path):
    with pytest.raises(ConfigError, match="resume with overwrite"):
        writer(tmp_path / "out", resume=True, overwrite=True)


def test_an_unfinished_store_is_named_with_both_ways_on(tmp_path, make_chunks):
    with writer(tmp_path / "out") as out:
        append_all(out, make_chunks())
    with pytest.raises(OutputError, match=r"out\.partial: .*--resume.*--overwrite"):
        write(tmp_path / "out", [])
    write(tmp_path / "out", make_chunks(), overwrite=True)

    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_error_before_the_first_shard_is_whole_leaves_nothing(tmp_path, make_chunks):
    with pytest.raises(KeyError), writer(tmp_path / "out", shard_bytes=999) as out:
        out.append(make_chunks()[0])
        raise KeyError

    assert list(tmp_path.iterdir()) == []


def test_an_open_store_finds_the_unfinished_one_beside_it(tmp_path):
    with writer(tmp_path / "out"), pytest.raises(InputError, match="--resume"):
        FeatureStore.open(tmp_path / "out")


def test_a_folder_that_kbert_did_not_make_is_not_touched(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "thesis.tex").write_text("text")
    with pytest.raises(OutputError, match=r"holds 'thesis\.tex', which kbert did not"):
        write(tmp_path / "out", [], overwrite=True)

    assert (tmp_path / "out.partial" / "thesis.tex").read_text() == "text"


HOLD = """
import sys
from kbert.store import StoreWriter
with StoreWriter(sys.argv[1], settings={}, row_shape=(5,)):
    print("started", flush=True)
    sys.stdin.read()
"""


def test_two_processes_cannot_write_the_same_store(tmp_path):
    command = [sys.executable, "-c", HOLD, tmp_path / "out"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as holder:
        assert holder.stdout.readline() == b"started\n"
        with pytest.raises(OutputError, match=f"in use by process {holder.pid}"):
            write(tmp_path / "out", [], resume=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: os.truncate(folder / "store/features-00000.npy", 7), "7 bytes"),
        (lambda folder: (folder / "items-00000.jsonl").unlink(), "is missing"),
        (lambda folder: (folder / "journal.jsonl").write_text("{"), "damaged"),
        (lambda folder: (folder / "journal.jsonl").write_text("[]\n"), "damaged"),
        (lambda folder: (folder / "state.json").write_text("["), "not valid JSON"),
    ],
)
def test_a_damaged_unfinished_store_is_refused(tmp_path, make_chunks, damage, message):
    with writer(tmp_path / "out") as out:
        for chunk in make_chunks():
            out.append(chunk)
    damage(tmp_path / "out.partial")
    with pytest.raises((OutputError, ConfigError), match=message):
        write(tmp_path / "out", [], resume=True)


def test_what_the_journal_does_not_know_is_deleted(tmp_path, make_chunks):
    chunks = make_chunks()
    write(tmp_path / "good", chunks)
    with writer(tmp_path / "out") as out:
        for chunk in chunks:
            out.append(chunk)
    partial = tmp_path / "out.partial"
    for name in ("store/features-00009.npy", "status-00009.bin", "store/.kbert-tmp-x"):
        (partial / name).write_text("left by a kill")
    with writer(tmp_path / "out", resume=True) as out:
        left = {path.name for path in partial.rglob("*")}
        for chunk in chunks[out.items_done // 3 :]:
            out.append(chunk)
        out.finish()

    assert not left & {"features-00009.npy", "status-00009.bin", ".kbert-tmp-x"}
    assert contents(tmp_path / "out") == contents(tmp_path / "good")


def bad_chunk(**changes):
    good = {
        "features": np.ones((3, 5), "float32"),
        "rows_per_item": np.array([2, 1]),
        "status": np.zeros(3, "u1"),
        "records": [{"id": "a"}, {"id": "b"}],
    }
    return FeatureChunk(**{**good, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"features": np.ones((3, 4), "float32")},
            r"features are float32 \[3, 4\]; expected float32 \[3, 5\]",
        ),
        ({"features": np.ones((3, 5))}, r"features are float64 \[3, 5\]"),
        ({"rows_per_item": np.array([2, 2])}, "adds up to 4; expected 3"),
        ({"rows_per_item": np.array([4, -1])}, "adds up to 3; expected 3 rows, and no"),
        ({"records": [{}]}, "1 records for 2 items"),
        ({"status": np.array([0, 4, 0], "u1")}, "status 4; expected 0, 1, 2 or 3"),
        ({"status": np.zeros(3, "i8")}, "status is int64; expected uint8"),
        (
            {"features": np.array([[1.0] * 5, [2.0] * 5, [np.inf] * 5], "float32")},
            "not finite, for {'id': 'b'}",
        ),
    ],
)
def test_a_chunk_that_does_not_fit_is_refused(tmp_path, changes, message):
    with writer(tmp_path / "out") as out, pytest.raises(InputError, match=message):
        out.append(bad_chunk(**changes))


def test_a_writer_takes_nothing_when_it_is_not_open(tmp_path):
    closed = writer(tmp_path / "out")
    with pytest.raises(OutputError, match="not open for writing"):
        closed.append(bad_chunk())
    with closed:
        closed.append(bad_chunk())
        closed.finish()
        with pytest.raises(OutputError, match="not open for writing"):
            closed.append(bad_chunk())


@pytest.mark.parametrize("changes", [{"dtype": "float64"}, {"shard_bytes": 0}])
def test_settings_of_the_writer_are_checked(tmp_path, changes):
    ((name, value),) = changes.items()
    with pytest.raises(ConfigError, match=f"{name}={value!r}"):
        writer(tmp_path / "out", **changes)


def test_a_store_without_items_is_whole(tmp_path):
    write(tmp_path / "out", [])
    store = FeatureStore.open(tmp_path / "out")
    store.verify()

    assert (len(store), store.to_numpy().shape) == (0, (0, 5))


def test_the_settings_are_not_changed_by_later_changes(tmp_path):
    settings = {"layers": [-1]}
    with writer(tmp_path / "out", settings=settings) as out:
        settings["layers"].append(0)
        out.finish()

    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["settings"] == {"layers": [-1]}


MEMORY = """
import resource, sys
import numpy as np
from kbert.store import FeatureChunk, FeatureStore, StoreWriter, export
folder, chunks = sys.argv[1], int(sys.argv[2])
features, status = np.zeros((2048, 128), "float32"), np.zeros(2048, "u1")
chunk = FeatureChunk(features, np.ones(2048, "i8"), status, [{"id": "x"}] * 2048)
path, size = f"{folder}/out", 16 << 20
with StoreWriter(path, settings={}, row_shape=(128,), shard_bytes=size) as out:
    for _ in range(chunks):
        out.append(chunk)
    out.finish()
store = FeatureStore.open(path)
store.verify()
for name in ("npz", "hdf5", "parquet"):
    export(store, f"{folder}/x.{name}", name)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_store(tmp_path):
    peaks = []
    for chunks in (24, 96):  # 25 and 101 MB of features
        folder = tmp_path / str(chunks)
        folder.mkdir()
        command = [sys.executable, "-c", MEMORY, folder, str(chunks)]
        peaks.append(int(subprocess.check_output(command, text=True)))

    assert peaks[1] < 1.1 * peaks[0]


def test_writing_and_reading_do_not_import_tensorflow():
    code = "import sys, kbert.store; print('tensorflow' in sys.modules)"
    shown = subprocess.check_output([sys.executable, "-c", code], text=True)

    assert shown.strip() == "False"
