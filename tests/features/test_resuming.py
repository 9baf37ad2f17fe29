"""kbert/features/extraction.py: stopped, killed or out of disk, and resumed; memory"""

import contextlib
import dataclasses
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kbert.errors import ConfigError, OutputError, Stopped
from kbert.features import chunks as chunks_module
from kbert.features.extraction import (
    ExtractionJob,
    extract_features_to,
    extract_to_stream,
)

KILL_DRIVER = Path(__file__).with_name("kill_driver.py")


def job_of(*paths, **changes):
    return ExtractionJob(inputs=[str(path) for path in paths], **changes)


def same_files(one, other):
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


class StopAfter:
    """A progress function that stops the run after some chunks."""

    def __init__(self, chunks):
        self.left = chunks

    def __call__(self, items, tokens):
        self.left -= items > 0
        if self.left < 0:
            raise Stopped("enough")


@pytest.mark.parametrize("stops", [[2], [1, 1, 3]])
@pytest.mark.parametrize("characters", [20, chunks_module.CHARACTERS_PER_CHUNK])
@pytest.mark.parametrize("choices", [{"unit": "word"}, {"context": "document"}])
def test_a_resumed_run_writes_the_same_bytes(
    engine, lines, tmp_path, monkeypatch, stops, choices, characters
):
    monkeypatch.setattr(chunks_module, "CHARACTERS_PER_CHUNK", characters)
    stops = [chunks * (20 if characters == 20 else 1) for chunks in stops]
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


def test_a_stop_tells_how_many_items_are_kept(engine, lines, tmp_path):
    job, counts = job_of(lines, shard_bytes=1000), []
    with pytest.raises(Stopped) as stopped:
        extract_features_to(engine(), job, tmp_path / "out", progress=StopAfter(3))

    extract_features_to(
        engine(),
        job,
        tmp_path / "out",
        resume=True,
        progress=lambda items, tokens: counts.append(items),
    )

    assert counts[0] > 0
    assert str(stopped.value) == (
        f"enough. {counts[0]} items are kept: run the same command with --resume to "
        "go on."
    )


def test_a_stop_before_the_first_shard_tells_that_nothing_is_kept(
    engine, lines, tmp_path
):
    with pytest.raises(Stopped, match=r"^enough\. Nothing is kept: no shard was finis"):
        extract_features_to(
            engine(), job_of(lines), tmp_path / "out", progress=StopAfter(0)
        )

    assert not list(tmp_path.iterdir())


def test_a_stopped_stream_tells_that_nothing_was_written(engine, lines, tmp_path):
    job = job_of(lines, shard_bytes=1000)
    with (
        open(tmp_path / "out", "wb") as file,
        pytest.raises(Stopped, match=r"^enough\. Nothing was written\.$"),
    ):
        extract_to_stream(engine(), job, file, progress=StopAfter(3))

    assert (tmp_path / "out").read_bytes() == b""


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


def test_resuming_with_another_input_names_it(engine, random_lines, tmp_path):
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


def test_a_stopped_export_is_resumed(engine, lines, tmp_path):
    job = job_of(lines, shard_bytes=1000)
    out = tmp_path / "out.npz"
    choices = {"output_format": "npz", "resume": True}
    with pytest.raises(Stopped):
        extract_features_to(engine(), job, out, **choices, progress=StopAfter(2))

    extract_features_to(engine(), job, out, **choices)

    with np.load(out) as arrays:
        assert arrays["features"].shape == (150, 12)
    assert [path.name for path in tmp_path.iterdir()] == ["out.npz"]


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
def test_memory_does_not_grow_with_the_input(tiny_model, random_lines, tmp_path, unit):
    path = tmp_path / "lines.txt"
    path.write_text(random_lines(200_000))
    run = ["extract-features", str(path), "--model", str(tiny_model), "--unit", unit]

    peaks = [
        peak_memory([*run, "-o", str(tmp_path / count), "--limit", count])
        for count in ("10000", "200000")
    ]

    assert peaks[1] < 1.1 * peaks[0]
