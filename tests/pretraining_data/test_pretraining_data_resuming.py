"""kbert/pretraining_data/creation.py, working.py: stopped, killed, resumed, locked"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kbert import ConfigError, OutputError, StaticMasks, Stopped, io
from kbert.pretraining_data import blocks

DRIVER = Path(__file__).with_name("crash_driver.py")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """The corpus is several blocks."""
    monkeypatch.setattr(blocks, "BLOCK_CHARACTERS", 5000)


@pytest.fixture(scope="module")
def whole(make):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_CHARACTERS", 5000)
        return make(seed=1)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class StopAt:
    """A progress function that stops the run after so many calls of a stage."""

    def __init__(self, stage, calls):
        self.stage, self.left, self.calls = stage, calls, []

    def __call__(self, stage, done, total):
        self.calls.append((stage, done, total))
        if stage == self.stage:
            self.left -= 1
            if not self.left:
                raise Stopped("enough")


def stopped(make, out, stage, calls, **choices):
    with pytest.raises(Stopped):
        make(out, seed=1, how={"progress": StopAt(stage, calls)}, **choices)


@pytest.mark.parametrize(
    ("stage", "calls"),
    [("documents", 1), ("documents", 2), ("shards", 1), ("shards", 3)],
)
def test_a_stopped_run_goes_on_to_the_same_bytes(make, whole, tmp_path, stage, calls):
    out = tmp_path / "out"
    stopped(make, out, stage, calls)

    assert not out.exists()
    with pytest.raises(
        OutputError, match="holds unfinished pretraining data.*--resume"
    ):
        make(out, seed=1)
    make(out, seed=1, how={"resume": True})
    assert contents(out) == contents(whole.path)
    assert os.listdir(tmp_path) == ["out"]


def test_what_is_done_is_not_done_again(make, tmp_path, monkeypatch):
    stopped(make, tmp_path / "out", "documents", 2)
    done = []
    own = blocks.Block.save
    monkeypatch.setattr(
        blocks.Block,
        "save",
        lambda self, path: (done.append(path.name), own(self, path)),
    )
    progress = StopAt("shards", 3)
    with pytest.raises(Stopped):
        make(tmp_path / "out", seed=1, how={"progress": progress, "resume": True})

    total = sum(count for stage, count, _ in progress.calls if stage == "documents")
    assert "block-000000.bin" not in done
    assert "block-000001.bin" not in done
    assert "block-000002.bin" in done
    assert total == 60
    done.clear()
    again = StopAt("never", 1)
    make(tmp_path / "out", seed=1, how={"progress": again, "resume": True})
    assert done == []
    assert [call for call in again.calls if call[0] == "shards"][0] == ("shards", 2, 4)


def test_resuming_what_is_whole_changes_nothing(make, whole):
    before = {path: path.stat().st_mtime_ns for path in whole.path.iterdir()}

    make(whole.path, seed=1, how={"resume": True})

    assert before == {path: path.stat().st_mtime_ns for path in whole.path.iterdir()}
    assert not list(whole.path.parent.glob("*.partial"))


def test_resuming_nothing_is_beginning(make, whole, tmp_path):
    make(tmp_path / "out", seed=1, how={"resume": True})

    assert contents(tmp_path / "out") == contents(whole.path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 2}, "seed was 1 and is now 2"),
        ({"objective": "none"}, 'objective was "nsp" and is now "none"'),
        ({"sequence_lengths": (16,)}, r"sequence_lengths was \[32\] and is now \[16\]"),
        ({"shards": None}, "shards was 3 and is now null"),
        ({"static": StaticMasks()}, "static was null and is now not set"),
        ({"evaluation_fraction": 0.1}, "evaluation_fraction was 0.01 and is now 0.1"),
        ({"lowercase": True}, "lowercase was false and is now true"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_resuming_with_another_setting_names_it(
    make, whole, tmp_path, changes, message, finished
):
    out = whole.path
    if not finished:
        out = tmp_path / "out"
        stopped(make, out, "documents", 1)

    with pytest.raises(ConfigError, match=message):
        make(out, **{"seed": 1, **changes}, how={"resume": True})


def test_resuming_with_another_input_or_vocabulary_names_it(
    make, corpus, whole, tmp_path
):
    other = tmp_path / "other.txt"
    other.write_text(corpus.path.read_text() + "w1\n")
    with pytest.raises(
        ConfigError, match=r'inputs\[0\]\.bytes was .*; inputs.*"other.txt"'
    ):
        make(whole.path, inputs=[other], seed=1, how={"resume": True})

    words = type(corpus.vocabulary)((*corpus.vocabulary.tokens, "more"))
    with pytest.raises(ConfigError, match="vocabulary.sha256 was"):
        make(whole.path, vocabulary=words, seed=1, how={"resume": True})


def test_data_are_not_both_resumed_and_replaced(make, whole):
    before = contents(whole.path)
    with pytest.raises(ConfigError, match="resume with overwrite"):
        make(whole.path, seed=1, how={"resume": True, "overwrite": True})

    assert contents(whole.path) == before


def test_overwriting_drops_what_is_unfinished(make, whole, tmp_path):
    stopped(make, tmp_path / "out", "shards", 2, objective="none")

    make(tmp_path / "out", seed=1, how={"overwrite": True})

    assert contents(tmp_path / "out") == contents(whole.path)
    assert os.listdir(tmp_path) == ["out"]


def test_a_folder_in_use_is_left_alone(make, tmp_path):
    partial = tmp_path / "out.partial"
    partial.mkdir()
    with io.lock(partial), pytest.raises(OutputError, match="in use by process"):
        make(tmp_path / "out")


def test_a_folder_of_somebody_else_is_left_alone(make, tmp_path):
    partial = tmp_path / "out.partial"
    partial.mkdir()
    (partial / "thesis.doc").write_text("dear")

    with pytest.raises(OutputError, match=r"holds 'thesis\.doc', which kbert did not"):
        make(tmp_path / "out")
    assert (partial / "thesis.doc").read_text() == "dear"


def test_a_finished_shard_that_is_gone_is_named(make, tmp_path):
    stopped(make, tmp_path / "out", "shards", 3)
    (shard,) = tmp_path.rglob("train-32-00000-of-00003.tfrecord")
    shard.unlink()

    with pytest.raises(OutputError, match=r"00000-of-00003\.tfrecord: is missing"):
        make(tmp_path / "out", seed=1, how={"resume": True})


# === Kills ===


def drive(folder, mode, number):
    done = subprocess.run(
        [sys.executable, DRIVER, folder, mode, str(number)],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["problems"] == []
    return result["kills"]


def test_a_kill_at_every_29th_step_is_resumed_to_the_same_bytes(tmp_path):
    assert min(drive(tmp_path, "steps", 29).values()) >= 3


def test_a_kill_at_a_random_moment_is_resumed_to_the_same_bytes(tmp_path):
    assert drive(tmp_path, "random", 5)["random"] >= 5


def test_a_full_disk_is_one_clear_error_and_is_resumed_to_the_same_bytes(tmp_path):
    assert drive(tmp_path, "full", 700)["full"] >= 5


@pytest.mark.slow
def test_a_kill_at_every_step_is_resumed_to_the_same_bytes(tmp_path):
    assert min(drive(tmp_path, "steps", 1).values()) >= 100


@pytest.mark.slow
def test_200_kills_at_random_moments_are_resumed_to_the_same_bytes(tmp_path):
    assert drive(tmp_path, "random", 200)["random"] >= 200


@pytest.mark.slow
def test_a_disk_full_at_many_bytes_is_resumed_to_the_same_bytes(tmp_path):
    assert drive(tmp_path, "full", 53)["full"] >= 50


@pytest.mark.slow
def test_a_corpus_four_times_as_long_takes_no_more_memory(tmp_path):
    peaks = drive(tmp_path, "memory", 4)  # of 2.2 and 8.8 MB

    assert peaks["4"] < peaks["1"] + 5
