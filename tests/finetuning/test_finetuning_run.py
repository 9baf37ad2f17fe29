"""kbert/finetuning/run.py and job.py"""

import json
import os

import finetuning_runs as runs
import numpy as np
import pytest

import kbert
from kbert import (
    CheckpointError,
    ConfigError,
    InputError,
    KbertError,
    KbertWarning,
    OutputError,
    TrainingError,
)
from kbert.finetuning import job
from kbert.finetuning.run import read_examples
from kbert.model import model_variables
from kbert.tasks import task_class, task_of
from kbert.training import recorder
from kbert.training.curves import can_draw


def weights(folder):
    bert = kbert.load(folder)
    return {path: one.numpy() for path, one in model_variables(bert).items()}


def test_what_can_be_learned_is_learned(learned):
    lines = runs.read_lines(learned.path)

    assert learned.metrics["dev"]["accuracy"] == 1.0
    assert lines[-1]["accuracy"] > 0.95
    assert lines[-1]["loss"] < 0.3 < lines[0]["loss"]


def test_what_is_left_to_chance_is_not_learned(toy, go, tmp_path):
    runs.write_table(tmp_path / "dice.tsv", 30, seed=9, separable=False)
    done = go(
        tmp_path / "run",
        train=toy / "train.tsv",
        dev=tmp_path / "dice.tsv",
        epochs=1,
        batch_size=16,
    )

    assert 0.2 < done.metrics["dev"]["accuracy"] < 0.8


# 11 rows in batches of 4 are 3 steps an epoch; the last line of the log is the end.
def test_the_log_has_a_line_for_every_interval_and_evaluation(whole_run):
    lines = runs.read_lines(whole_run)

    assert [line["step"] for line in lines] == [2, 3, 4, 6]
    assert [line["epoch"] for line in lines] == [0.6667, 1.0, 1.3333, 2.0]
    evaluated = [line["step"] for line in lines if "evaluation_accuracy" in line]
    assert evaluated == [3, 6]
    # Warm-up of one step to 0.01, then down to 0 at step 6: the rate of the next one.
    rates = [0.01 * (6 - line["step"]) / 5 for line in lines]
    assert [line["learning_rate"] for line in lines] == pytest.approx(rates, abs=1e-9)
    assert not {"sequence_classifier_loss", "sequence_classifier_accuracy"} & {
        name for line in lines for name in line
    }


def test_progress_is_told_of_every_step(go, tmp_path):
    seen = []
    done = go(tmp_path / "run", progress=seen.append)

    assert [one.step for one in seen] == [1, 2, 3, 4, 5, 6]
    assert {one.steps for one in seen} == {6}
    assert {one.run for one in seen} == {done.path}
    assert all(one.loss > 0 for one in seen)
    # Rows of 4 to 11 tokens, four a step.
    assert all(16 < one.tokens < 44 for one in seen)


def test_the_folder_holds_the_model_its_figures_and_nothing_that_is_spent(whole_run):
    assert {path.name for path in whole_run.iterdir()} == {
        "dev",
        "log.jsonl",
        "metrics.json",
        "model",
        "run.json",
        "tensorboard",
    }
    predictions = (whole_run / "dev" / "predictions.tsv").read_text().splitlines()
    assert len(predictions) == 1 + 30


@pytest.mark.plots
def test_curves_are_drawn_of_training_and_dev(go, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(job, "can_draw", can_draw)
    monkeypatch.setattr(
        recorder,
        "draw_curves",
        lambda lines, path, *, panels: drawn.append((path.name, [*panels])),
    )
    go(tmp_path, epochs=1)

    panels = ["loss", "accuracy", "learning_rate"]
    assert drawn == [("curves.png", panels)]


def test_the_figures_are_those_of_the_best_line(whole_run, learned):
    for run in (whole_run, learned.path):
        metrics = json.loads((run / "metrics.json").read_text())
        lines = [line for line in runs.read_lines(run) if "evaluation_f1" in line]
        best = max(lines, key=lambda line: line["evaluation_accuracy"])

        assert metrics["best"]["step"] == best["step"]
        assert metrics["best"]["epoch"] == best["epoch"]
        for name, value in metrics["dev"].items():
            assert metrics["best"][name] == value == best[f"evaluation_{name}"]
        assert metrics["main_figure"] == "accuracy"
        assert metrics["task"]["kind"] == "classify"


def test_the_model_folder_is_the_model_in_memory_and_knows_its_task(learned):
    copy = kbert.load(learned.path / "model")

    assert copy.labels == ("no", "yes")
    assert set(copy.heads) == {"sequence_classifier"}
    assert task_of(copy) == learned.task
    assert copy.config.dropout == 0.1
    ours, theirs = model_variables(learned.bert), model_variables(copy)
    assert ours.keys() == theirs.keys()
    for path, variable in ours.items():
        np.testing.assert_array_equal(variable.numpy(), theirs[path].numpy())


def test_training_json_and_the_card_tell_what_was_measured(learned):
    model = learned.path / "model"
    training = json.loads((model / "training.json").read_text())
    card = (model / "README.md").read_text()

    assert training["dev"] == learned.metrics["dev"]
    assert training["settings"]["learning_rate"] == 0.02
    assert training["settings"]["seed"] == 5
    assert training["data"]["train"]["bytes"] > 0
    assert "tensorflow" in training["versions"]
    assert "| accuracy | 1.0000 |" in card
    assert "kbert predict path/of/this/folder" in card


def test_the_last_weights_are_kept_on_demand_and_without_a_dev_set(go, tmp_path):
    last = go(tmp_path / "last", keep="last", evaluate_every=1)
    lines = runs.read_lines(tmp_path / "last")

    assert last.metrics["best"]["step"] == 6
    assert last.metrics["dev"]["accuracy"] == lines[-1]["evaluation_accuracy"]

    blind = go(tmp_path / "blind", dev=None)
    assert blind.metrics["dev"] == {}
    assert not (tmp_path / "blind" / "dev").exists()
    assert not any("evaluation" in line for line in runs.read_lines(tmp_path / "blind"))
    for path, values in weights(tmp_path / "last" / "model").items():
        np.testing.assert_array_equal(values, weights(tmp_path / "blind/model")[path])


@pytest.fixture
def falling(monkeypatch):
    """Makes dev figures fall after the third evaluation, whatever the weights say."""
    figures = iter([0.5, 0.6, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    evaluate = job.Job.evaluate

    def evaluated(self):
        return evaluate(self)._replace(figures={"accuracy": next(figures)})

    monkeypatch.setattr(job.Job, "evaluate", evaluated)
    return figures


def test_a_run_ends_early_when_it_gets_no_better(go, tmp_path, falling):
    done = go(tmp_path, patience=2, evaluate_every=1, log_every=6, epochs=9)

    assert [line["step"] for line in runs.read_lines(tmp_path)] == [1, 2, 3, 4, 5]
    assert done.metrics["best"]["step"] == 3
    assert done.metrics["dev"] == {"accuracy": 0.9}


def test_no_weights_are_scored_twice(toy, go, tmp_path, falling):
    done = go(tmp_path / "run", evaluate_every=1)

    assert list(falling) == [0.5, 0.4]  # six of eight were taken, one for each step
    # What was kept of the evaluation is what the kept weights say.
    assert done.metrics["best"]["step"] == 3
    guesses = tmp_path / "run" / "dev" / "predictions.tsv"
    kbert.predict(tmp_path / "run", toy / "dev.tsv", tmp_path / "again.tsv")
    runs.assert_same_guesses(guesses, tmp_path / "again.tsv")


# Their rates are factors of the head's: with a tiny decay the lower ones stand still.
def test_layer_wise_decay_and_frozen_layers_reach_the_weights(toy, go, tmp_path):
    go(tmp_path / "slow", layer_decay=1e-6, weight_decay=0.0)
    go(tmp_path / "frozen", freeze_layers=1)
    before = weights(toy / "model")
    slow, frozen = (weights(tmp_path / name / "model") for name in ("slow", "frozen"))
    for path in (
        "embeddings/token",
        "layer_1/intermediate/kernel",
        "layer_1/intermediate/bias",
    ):
        np.testing.assert_array_equal(frozen[path], before[path])
        np.testing.assert_allclose(slow[path], before[path], atol=1e-6)
    for after in (slow, frozen):
        name = "pooler/dense/kernel"
        assert abs(after[name] - before[name]).max() > 1e-3


# Rows of one length: batches of two rows, or of four in two parts, are the same rows.
def test_an_accumulated_batch_is_the_whole_one(tmp_path, go):
    lines = ["text\tlabel"]
    lines += [f"{one} b c\t{label}" for one in "azxy" for label in ("yes", "no")]
    (tmp_path / "even.tsv").write_text("\n".join(lines) + "\n")
    how = {"train": tmp_path / "even.tsv", "dropout": 0.0, "bucketed": False}
    for number in (1, 2):
        go(tmp_path / str(number), **how, accumulate=number, log_every=1)
    whole, parts = (runs.read_lines(tmp_path / name) for name in "12")

    assert [line["step"] for line in parts] == [1, 2, 3, 4]
    for one, other in zip(whole, parts, strict=True):
        assert other == pytest.approx(one, rel=1e-4)


@pytest.mark.slow
def test_half_precision_trains_and_keeps_float32_weights(toy, go, tmp_path):
    done = go(
        tmp_path,
        train=toy / "train.tsv",
        epochs=5,
        batch_size=16,
        dropout=0.0,
        compute_dtype="bfloat16",
    )

    assert done.metrics["dev"]["accuracy"] > 0.9
    assert {one.dtype for one in weights(tmp_path / "model").values()} == {
        np.dtype("float32")
    }


def test_a_learning_rate_far_too_high_is_one_line_and_leaves_no_model(go, tmp_path):
    with pytest.raises(TrainingError, match=r"step \d: .* is not finite") as error:
        go(tmp_path, learning_rate=1e30, warmup_fraction=0.0, log_every=1)

    assert "\n" not in str(error.value)
    assert not (tmp_path / "model").exists()


def test_a_dev_figure_that_is_not_finite_stops_the_run(go, tmp_path, monkeypatch):
    figures = {"accuracy": float("nan")}
    spoilt = job.Evaluation(task=None, guesses=[], figures=figures)
    monkeypatch.setattr(job.Job, "evaluate", lambda self: spoilt)
    with pytest.raises(
        TrainingError, match="step 3: evaluation_accuracy is not finite"
    ):
        go(tmp_path)


# === Bad input ===


def bad_dev(folder):
    (folder / "dev.tsv").write_text("text\tlabel\na b\tyes\nc\tperhaps\n")
    return {"dev": folder / "dev.tsv"}


def unlabelled_dev(folder):
    (folder / "dev.tsv").write_text("text\na b\n")
    return {"dev": folder / "dev.tsv"}


def one_class(folder):
    (folder / "train.tsv").write_text("text\tlabel\na b\tyes\nc\tyes\n")
    return {"train": folder / "train.tsv"}


def pipe(folder):
    os.mkfifo(folder / "pipe.tsv")
    return {"train": folder / "pipe.tsv"}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (bad_dev, InputError, "dev.tsv, line 3: unknown label 'perhaps'"),
        (unlabelled_dev, ConfigError, "dev.tsv.*label"),
        (one_class, InputError, "train.tsv: every label is 'yes'"),
        ({"train": "nowhere.tsv"}, InputError, "nowhere.tsv"),
        ({"dev": "-"}, InputError, "standard input: can be read only once"),
        (pipe, InputError, "pipe.tsv: can be read only once; expected a file"),
        ({"max_length": 2}, ConfigError, "max_length=2"),
        ({"model": "nowhere"}, CheckpointError, "nowhere"),
        ({"max_length": 25}, ConfigError, "max_length=25; expected at most"),
        ({"freeze_layers": 2}, ConfigError, "freeze_layers=2 with reinit"),
        ({"dev": None, "patience": 1}, ConfigError, "patience=1 without a dev set"),
        (
            {"dev": None, "evaluate_every": 3},
            ConfigError,
            "evaluate_every=3 without a dev set",
        ),
        ({"resume": True, "overwrite": True}, ConfigError, "resume with overwrite"),
        ({"devices": 2}, ConfigError, "devices=2 with strategy 'none'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    go, tmp_path, changes, error, message
):
    changes = changes(tmp_path) if callable(changes) else changes
    with pytest.raises(error, match=message) as caught:
        go(tmp_path / "run", **changes)

    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "nowhere"}, "nowhere"),
        ({"max_length": 25}, "max_length=25"),
        ({"freeze_layers": 2}, "freeze_layers=2"),
        ({"max_length": 2}, "max_length=2"),  # no room for a piece
    ],
)
def test_a_run_is_replaced_only_by_one_that_can_be(go, whole_run, changes, message):
    before = runs.digests(whole_run)
    with pytest.raises(KbertError, match=message):
        go(whole_run, **changes, overwrite=True)

    assert runs.digests(whole_run) == before


@pytest.mark.parametrize("name", ["model", "train", "dev"])
def test_what_a_run_reads_is_not_replaced(go, whole_run, name):
    before = runs.digests(whole_run)
    places = {"model": "model", "train": "dev/predictions.tsv", "dev": "log.jsonl"}
    with pytest.raises(OutputError, match="is read, and --overwrite"):
        go(whole_run, **{name: whole_run / places[name]}, overwrite=True)

    assert runs.digests(whole_run) == before


def test_a_run_does_not_overwrite_another_unless_told(go, whole_run, tmp_path):
    before = runs.digests(whole_run)
    with pytest.raises(OutputError, match="holds a run. Go on with --resume, or"):
        go(whole_run)
    assert runs.digests(whole_run) == before

    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="'mine.txt', and no run"):
        go(tmp_path)
    go(tmp_path, overwrite=True, epochs=1)
    assert not (tmp_path / "mine.txt").exists()


def test_figures_on_the_training_file_are_told_to_be_that(toy):
    task, file = task_class("classify")(), toy / "short.tsv"
    with pytest.warns(KbertWarning, match=r"short\.tsv: the same as the training file"):
        read_examples(task, train=file, dev=file)
    read_examples(task, train=file, dev=toy / "dev.tsv")
