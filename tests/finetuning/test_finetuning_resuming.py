"""kbert/finetuning: stopped, killed, out of disk, damaged or changed, and resumed"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import finetuning_runs as runs
import pytest

from kbert import ConfigError, KbertWarning, OutputError, Stopped, io

KILL_DRIVER = Path(__file__).with_name("kill_driver.py")


def send(number, *, at):
    """A progress function that sends this process a signal during a step."""

    def progress(moment):
        if moment.step == at:
            os.kill(os.getpid(), number)

    return progress


# Step 4 has a checkpoint anyway; after 5 the running means are those of half a line.
def test_a_stopped_run_goes_on_to_the_same_bits(go, whole_run, tmp_path):
    for name, step in (("SIGTERM", 4), ("SIGINT", 5)):
        progress = send(getattr(signal, name), at=step)
        with pytest.raises(Stopped, match=f"stopped by {name}. Everything up to here"):
            go(tmp_path, resume=True, progress=progress)
        assert (tmp_path / "checkpoints" / f"step-{step:08d}").is_dir()
        assert [one.name for one in (tmp_path / "best").iterdir()] == ["step-00000003"]
    go(tmp_path, resume=True)

    assert runs.digests(tmp_path) == runs.digests(whole_run)


@pytest.mark.slow
def test_a_run_that_accumulates_and_stops_early_resumes_exactly(go, tmp_path):
    how = {"accumulate": 2, "evaluate_every": 1, "patience": 2, "epochs": 4}
    go(tmp_path / "whole", **how)
    with pytest.raises(Stopped):
        go(tmp_path / "run", **how, progress=send(signal.SIGTERM, at=1))
    go(tmp_path / "run", **how, resume=True)

    assert runs.digests(tmp_path / "run") == runs.digests(tmp_path / "whole")


def test_a_finished_run_stays_as_it_is_and_gives_its_figures(go, whole_run, tmp_path):
    shutil.copytree(whole_run, tmp_path / "run")
    (tmp_path / "run" / "best").mkdir()  # killed while it cleaned up
    steps = []
    done = go(tmp_path / "run", resume=True, progress=steps.append)

    assert steps == []
    assert not (tmp_path / "run" / "best").exists()
    assert runs.digests(tmp_path / "run") == runs.digests(whole_run)
    assert done.metrics == json.loads((whole_run / "metrics.json").read_text())
    assert done.task.labels == ("no", "yes")


# Between the last checkpoint and metrics.json all is done again.
@pytest.mark.parametrize(
    "gone",
    ["metrics.json model dev", pytest.param("metrics.json", marks=pytest.mark.slow)],
)
def test_a_run_killed_while_it_finished_finishes_again(
    go, whole_run, tmp_path, monkeypatch, gone
):
    from kbert.finetuning import job

    monkeypatch.setattr(job, "forget_steps", lambda run: None)
    go(tmp_path)
    for name in gone.split():
        io.remove(tmp_path / name)
    go(tmp_path, resume=True)

    assert runs.digests(tmp_path) == runs.digests(whole_run)


# Warnings of others, which pytest.warns tells again as its own.
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(go, whole_run, tmp_path):
    with pytest.raises(Stopped):
        go(tmp_path, progress=send(signal.SIGTERM, at=4))
    newest = tmp_path / "checkpoints" / "step-00000004" / "state.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    with pytest.warns(KbertWarning, match="step-00000004.*damaged.*step-00000003 is"):
        go(tmp_path, resume=True)

    assert runs.digests(tmp_path) == runs.digests(whole_run)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.02}, "learning_rate was 0.01 and is now 0.02"),
        ({"seed": 6}, "seed was 5 and is now 6"),
        ({"epochs": 3}, "epochs was 2 and is now 3"),
        ({"keep": "last"}, 'keep was "best" and is now "last"'),
        ({"max_length": 12}, "max_length was 24 and is now 12"),
        ({"dev": None}, "data.dev"),
    ],
)
def test_resuming_with_another_setting_names_it(go, whole_run, changes, message):
    before = runs.digests(whole_run)
    with pytest.raises(ConfigError, match=message):
        go(whole_run, resume=True, **changes)

    assert runs.digests(whole_run) == before


def test_resuming_with_other_data_or_another_model_names_them(
    toy, go, whole_run, tmp_path
):
    with pytest.raises(ConfigError, match="data.train.bytes was .* and is now"):
        go(whole_run, resume=True, train=toy / "train.tsv")
    model = runs.make_model(tmp_path / "wide", intermediate_dim=20)
    with pytest.raises(ConfigError, match="config.intermediate_dim was 24 and is now"):
        go(whole_run, resume=True, model=model)


def test_a_run_is_for_one_process(go, whole_run):
    with io.lock(whole_run), pytest.raises(OutputError, match="in use by process"):
        go(whole_run, resume=True)


@pytest.mark.slow
def test_a_run_killed_at_10_random_moments_ends_with_the_same_bits(toy, tmp_path):
    arguments = ["--model", "model", "--train", "train.tsv", "--dev", "dev.tsv"]
    arguments += ["--epochs", "3", "--batch-size", "8", "--learning-rate", "0.02"]
    arguments += ["--save-every", "4", "--evaluate-every", "7", "--log-every", "3"]
    done = subprocess.run(
        [sys.executable, KILL_DRIVER, tmp_path, "10", *arguments],
        capture_output=True,
        text=True,
        cwd=toy,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)

    assert result["problems"] == []
    assert result["kills"] >= 10
    # There are 15 checkpoints; how many of them kills fall behind is chance.
    assert len(set(result["steps_seen"])) > 2
