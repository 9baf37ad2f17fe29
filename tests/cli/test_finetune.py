"""cli/finetune.py, cli/evaluate.py and cli/predict.py"""

import json
import shutil
from pathlib import Path

import finetuning_runs as runs
import pytest
from click.testing import CliRunner

import kbert
import kbert.finetuning
from kbert.cli.main import main
from kbert.training.curves import can_draw


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    runs.make_model(folder / "model")
    runs.write_table(folder / "train.tsv", 11, seed=3)
    runs.write_table(folder / "dev.tsv", 9, seed=2)
    return folder


@pytest.fixture
def kbert_in(made, tmp_path, monkeypatch):
    """Runs `kbert`, in a folder of its own."""
    from kbert.finetuning import job

    monkeypatch.setattr(job, "can_draw", lambda: False)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return lambda *arguments: CliRunner().invoke(main, arguments)


FILES = ("--model", "model", "--train", "train.tsv", "--dev", "dev.tsv", "-o", "run")
SMALL = ("--epochs", "1", "--batch-size", "4", "--learning-rate", "0.01")
PLOTS = "pip install 'kbert[plots]' draws it."


def errors(result):
    return [one for one in result.stderr.splitlines() if one.startswith("Error:")]


def test_a_file_becomes_a_model_that_is_scored_and_used(kbert_in, tmp_path):
    result = kbert_in("finetune", "classify", *FILES, *SMALL, "--seed", "3")

    assert result.exit_code == 0, result.stderr
    names = [line.partition("\t")[0] for line in result.stdout.splitlines()]
    assert names == ["accuracy", "f1", "matthews"]
    assert result.stderr.splitlines()[-1] == "run/model: done, weights of step 3"
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert f"accuracy\t{metrics['dev']['accuracy']:.4f}" in result.stdout
    assert kbert.load("run/model").labels == ("no", "yes")

    scored = kbert_in("evaluate", "run", "dev.tsv", "-o", "scored")
    assert (scored.exit_code, scored.stdout) == (0, result.stdout)
    hints = [] if can_draw() else [f"no confusion_matrix.png: {PLOTS}"]
    assert scored.stderr.splitlines() == [*hints, "dev.tsv: 9 examples"]
    assert Path("scored/predictions.tsv").is_file()

    used = kbert_in("predict", "run", "dev.tsv", "-o", "out.tsv")
    assert (used.exit_code, used.stdout) == (0, "")
    assert used.stderr == "out.tsv: 9 examples\n"
    assert len(Path("out.tsv").read_text().splitlines()) == 10


def test_a_run_is_taken_resumed_or_refused(kbert_in):
    assert kbert_in("finetune", "classify", *FILES, *SMALL).exit_code == 0
    again = kbert_in("finetune", "classify", *FILES, *SMALL)
    assert again.exit_code == 1
    assert errors(again) == [
        "Error: run: holds a run. Go on with --resume, or replace it with --overwrite "
        "(resume=True, overwrite=True in Python)."
    ]
    other = kbert_in("finetune", "classify", *FILES, *SMALL, "--resume", "--seed", "4")
    assert "made with other settings: seed was 0 and is now 4" in other.stderr
    same = kbert_in("finetune", "classify", *FILES, *SMALL, "--resume")
    assert same.exit_code == 0


def test_seeds_show_mean_and_deviation(kbert_in, no_matplotlib):
    arguments = ("--epochs", "1", "--batch-size", "4", "--seeds", "2")
    result = kbert_in("finetune", "classify", *FILES, *arguments)
    metrics = json.loads(Path("run/metrics.json").read_text())

    assert result.exit_code == 0, result.stderr
    mean, deviation = metrics["mean"], metrics["standard_deviation"]
    assert result.stdout.splitlines()[0] == (
        f"accuracy\t{mean['accuracy']:.4f}\t± {deviation['accuracy']:.4f}"
    )
    for seed, run in enumerate(metrics["runs"]):
        line = f"run/runs/rate-5e-05_batch-4_seed-{seed}: accuracy "
        assert f"{line}{run['dev']['accuracy']:.4f}" in result.stderr.splitlines()
    hint, last = result.stderr.splitlines()[-2:]
    assert hint == f"no curves.png: {PLOTS}"
    assert last.startswith("run/model: done")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--batch-size", "0"], 2, "0 is not in the range x>=1"),
        (["--learning-rate", "fast"], 2, "'fast' is not a valid float"),
        (["--learning-rate", "-1"], 1, "learning_rate=-1.0; expected a number above"),
        (["--class-weights", "yes"], 2, "'yes' is no label with its weight"),
        (["--glue", "STS-B"], 2, "STS-B"),
        (["--dev", "nowhere.tsv"], 1, "nowhere.tsv"),
        (["--model", "nowhere"], 1, "nowhere"),
        (["--max-length", "99"], 1, "model: max_length=99; expected at most"),
        (["--label-column", "gold"], 1, "gold"),
        (["--epochs", "1.5"], 2, "1.5"),
    ],
)
def test_bad_settings_are_one_line_and_leave_nothing(
    kbert_in, arguments, code, message
):
    result = kbert_in("finetune", "classify", *FILES, *arguments)

    assert result.exit_code == code
    (line,) = errors(result)
    assert message in line
    assert "Traceback" not in result.stderr
    assert not Path("run").exists()


def test_a_model_without_a_task_is_one_line(kbert_in):
    for command in (["evaluate"], ["predict", "-o", "out.tsv"]):
        result = kbert_in(*command, "model", "dev.tsv")

        assert result.exit_code == 1
        (line,) = errors(result)
        assert line.startswith("Error: model: the model says of no task")
    assert not Path("out.tsv").exists()
