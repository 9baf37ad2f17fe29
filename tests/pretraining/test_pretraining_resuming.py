"""kbert/pretraining: stopped, killed, out of disk, damaged or changed, and resumed"""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pretraining_runs as runs
import pytest

import kbert
from kbert import CheckpointError, ConfigError, KbertWarning, OutputError, Stopped, io

KILL_DRIVER = Path(__file__).with_name("kill_driver.py")


def go(data, run, *, resume=True, **changes):
    how = {"config": runs.config(), "settings": runs.settings()}
    return kbert.pretrain(data, run, resume=resume, **{**how, **changes})


def send(number, *, at):
    """A progress function that sends this process a signal during a step."""

    def progress(step, tokens, means):
        if step == at:
            os.kill(os.getpid(), number)

    return progress


# Step 2 has a checkpoint anyway; after 3 the running means are those of half a line.
def test_a_stopped_run_goes_on_to_the_same_bits(unlabelled, whole_run, tmp_path):
    for name, step in (("SIGTERM", 2), ("SIGINT", 3)):
        number = getattr(signal, name)
        with pytest.raises(Stopped, match=f"stopped by {name}. Everything up to here"):
            go(unlabelled, tmp_path, progress=send(number, at=step))
        assert runs.checkpoint_names(tmp_path)[-1] == f"step-{step:08d}"
    go(unlabelled, tmp_path)

    assert file_digests(tmp_path) == file_digests(whole_run)


def file_digests(run):
    """Without the checkpoints, of which a stopped run has others."""
    found = runs.digests(run)
    return {name: one for name, one in found.items() if "step-" not in name}


@pytest.mark.slow
def test_a_stopped_run_that_accumulates_goes_on_to_the_same_bits(unlabelled, tmp_path):
    how = {"settings": runs.settings(accumulate=2, steps=4)}
    go(unlabelled, tmp_path / "whole", **how)
    with pytest.raises(Stopped):
        go(unlabelled, tmp_path / "run", **how, progress=send(signal.SIGTERM, at=1))
    go(unlabelled, tmp_path / "run", **how)

    assert file_digests(tmp_path / "run") == file_digests(tmp_path / "whole")


def test_a_finished_run_stays_as_it_is(unlabelled, whole_run, tmp_path):
    shutil.copytree(whole_run, tmp_path / "run")
    steps = []
    bert = go(unlabelled, tmp_path / "run", progress=lambda *what: steps.append(what))

    assert steps == []
    assert runs.digests(tmp_path / "run") == runs.digests(whole_run)
    assert bert.training["metrics"]["step"] == 6


def test_resuming_what_has_not_begun_begins_it(unlabelled, whole_run, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".kbert-lock").write_text("1\n")  # killed before run.json
    go(unlabelled, tmp_path / "run")

    assert runs.digests(tmp_path / "run") == runs.digests(whole_run)


# Warnings of others, which pytest.warns tells again as its own.
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(
    unlabelled, whole_run, tmp_path
):
    run = tmp_path / "run"
    shutil.copytree(whole_run, run)
    newest = run / "checkpoints" / "step-00000006" / "state.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    shutil.rmtree(run / "model")
    with pytest.warns(KbertWarning, match="step-00000006.*damaged.*step-00000004 is"):
        go(unlabelled, run)

    assert runs.digests(run) == runs.digests(whole_run)


def test_without_a_whole_checkpoint_nothing_is_lost_in_silence(
    unlabelled, whole_run, tmp_path
):
    run = tmp_path / "run"
    shutil.copytree(whole_run, run)
    for path in (run / "checkpoints").glob("*/manifest.json"):
        path.write_text("{")
    before = runs.digests(run)
    with pytest.raises(CheckpointError, match="no checkpoint is whole: not valid JSON"):
        go(unlabelled, run)

    assert runs.digests(run) == before


def test_half_written_files_of_a_killed_run_are_removed(
    unlabelled, whole_run, tmp_path
):
    run = tmp_path / "run"
    shutil.copytree(whole_run, run)
    (run / f"{io.TEMPORARY}1-model").mkdir()
    (run / "checkpoints" / f"{io.TEMPORARY}1-step-00000006").mkdir()
    with open(run / "log.jsonl", "a") as log:
        log.write('{"step": 7, "masked')
    go(unlabelled, run)

    assert not list(run.rglob(f"{io.TEMPORARY}*"))
    assert runs.digests(run) == runs.digests(whole_run)


@pytest.mark.parametrize(
    ("changes", "config", "message"),
    [
        ({"learning_rate": 0.02}, {}, "learning_rate was 0.01 and is now 0.02"),
        ({"seed": 6}, {}, "seed was 5 and is now 6"),
        ({"steps": 7}, {}, "steps was 6 and is now 7"),
        ({"dropout": None}, {}, "dropout was 0.3 and is now null"),
        ({"batch_size": 2, "seed": 1}, {}, "batch_size was 4 and is now 2; seed was"),
        ({"on_nonfinite": "skip"}, {}, "on_nonfinite was .stop. and is now .skip."),
        ({}, {"num_layers": 2}, "config.num_layers was 1 and is now 2"),
    ],
)
def test_resuming_with_another_setting_names_it(
    unlabelled, whole_run, changes, config, message
):
    before = runs.digests(whole_run)
    with pytest.raises(ConfigError, match=message):
        go(
            unlabelled,
            whole_run,
            settings=runs.settings(**changes),
            config=runs.config(**config),
        )

    assert runs.digests(whole_run) == before


def test_resuming_with_other_data_names_them(made, whole_run):
    with pytest.raises(ConfigError, match="data.manifest was .* and is now"):
        go(made(objective="none", seed=9), whole_run)


def test_a_run_is_for_one_process(unlabelled, whole_run):
    with io.lock(whole_run), pytest.raises(OutputError, match="in use by process"):
        go(unlabelled, whole_run)
    with io.lock(whole_run), pytest.raises(OutputError, match="in use by process"):
        go(unlabelled, whole_run, resume=False, overwrite=True)
    assert (whole_run / "model").is_dir()


def test_a_run_is_not_both_resumed_and_replaced(unlabelled, whole_run, tmp_path):
    before = runs.digests(whole_run)
    for run in (whole_run, tmp_path / "new"):
        with pytest.raises(ConfigError, match="resume with overwrite"):
            go(unlabelled, run, resume=True, overwrite=True)

    assert runs.digests(whole_run) == before
    assert not (tmp_path / "new").exists()


@contextlib.contextmanager
def small_files_from(step, size):
    """A progress function after which files can get no larger than that."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def progress(now, tokens, means):
        if now == step:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    try:
        yield progress
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_line_and_loses_no_checkpoint(
    unlabelled, whole_run, tmp_path
):
    run = tmp_path / "run"
    first = whole_run / "checkpoints" / "step-00000004" / "state.safetensors"
    with (
        small_files_from(3, first.stat().st_size - 1) as progress,
        pytest.raises(OutputError, match="step-00000004.*cannot be written: ") as error,
    ):
        go(unlabelled, run, progress=progress)
    assert "\n" not in str(error.value)
    assert runs.checkpoint_names(run) == ["step-00000002"]
    go(unlabelled, run)

    assert runs.digests(run) == runs.digests(whole_run)


def kill(folder, data, *arguments, kills):
    """Run the driver; what it found."""
    (folder / "config.json").write_text(json.dumps(runs.config().to_dict()))
    fixed = [data, "--config", str(folder / "config.json"), *arguments]
    done = subprocess.run(
        [sys.executable, KILL_DRIVER, folder, str(kills), *fixed],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_run_killed_at_30_random_moments_ends_with_the_same_bits(made, tmp_path):
    result = kill(
        tmp_path,
        made(),
        *("--steps", "40", "--batch-size", "4", "--learning-rate", "0.01"),
        *("--dropout", "0.3", "--save-every", "3", "--evaluate-every", "10"),
        *("--log-every", "2", "--phase", "16:0.5", "--phase", "24:0.5"),
        kills=30,
    )

    assert result["problems"] == []
    assert result["kills"] >= 30
    # There are 14 checkpoints; how many of them kills fall behind is chance.
    assert len(set(result["steps_seen"])) > 4


@pytest.mark.slow
def test_a_killed_run_that_accumulates_ends_with_the_same_bits(made, tmp_path):
    result = kill(
        tmp_path,
        made(),
        *("--steps", "24", "--batch-size", "4", "--learning-rate", "0.01"),
        *("--save-every", "2", "--accumulate", "2", "--phase", "16:1"),
        kills=8,
    )

    assert result["problems"] == []
    assert result["kills"] >= 8
