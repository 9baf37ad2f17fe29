"""kbert/finetuning/search.py"""

import json
import os
import re
import shutil
import signal
import statistics
import sys
import warnings

import finetuning_runs as runs
import pytest

from kbert import (
    ConfigError,
    DivergedError,
    InputError,
    KbertError,
    KbertWarning,
    OutputError,
    Stopped,
)
from kbert.finetuning import Search, search
from kbert.finetuning.job import Job
from kbert.tasks import task_class

TRIED = Search(learning_rates=(0.01, 1e-6), seeds=2)
NAMES = [
    "rate-0.01_batch-4_seed-5",
    "rate-1e-06_batch-4_seed-5",
]


@pytest.fixture(scope="module")
def go_all(toy):
    def run(output, **changes):
        how = {
            "train": toy / "short.tsv",
            "dev": toy / "dev.tsv",
            "settings": runs.settings(epochs=1),
            "tried": TRIED,
            **changes,
        }
        model = how.pop("model", toy / "model")
        return search(task_class("classify")(), model, output=output, **how)

    return run


@pytest.fixture(scope="module")
def stopped_at(tmp_path_factory, go_all):
    """A search that was stopped in its second run and went on: what ran again, too."""
    folder = tmp_path_factory.mktemp("search") / "run"
    seen = []

    def progress(moment):
        seen.append((moment.run.name, moment.step))
        if seen[-1] == (NAMES[1], 2):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped):
        go_all(folder, progress=progress)
    before, seen = seen, []

    def resumed(moment):
        seen.append((moment.run.name, moment.step))

    return go_all(folder, resume=True, progress=resumed), before, seen


def test_what_is_done_is_never_done_again(stopped_at):
    done, before, after = stopped_at
    best, others = (
        done.metrics["best"]["run"].removeprefix("runs/"),
        [
            (NAMES[1], 3),
        ],
    )
    other_seed = best.replace("seed-5", "seed-6")

    assert before == [(NAMES[0], 1), (NAMES[0], 2), (NAMES[0], 3)] + [
        (NAMES[1], 1),
        (NAMES[1], 2),
    ]
    chosen = other_seed if best in NAMES else best
    assert after == others + [(chosen, step) for step in (1, 2, 3)]


@pytest.mark.slow
def test_each_run_is_the_one_that_it_would_be_alone(stopped_at, go, tmp_path):
    done, _, _ = stopped_at
    for name, settings in (
        (NAMES[0], {"learning_rate": 0.01}),
        (NAMES[1], {"learning_rate": 1e-6}),
    ):
        alone = go(tmp_path / name, epochs=1, **settings)

        assert runs.digests(alone.path) == runs.digests(done.path / "runs" / name)


def test_the_best_on_dev_is_kept_with_all_figures(stopped_at):
    done, _, _ = stopped_at
    metrics = json.loads((done.path / "metrics.json").read_text())
    every = {one["run"]: one["dev"] for one in metrics["runs"]}
    grid = [every[f"runs/{name}"]["accuracy"] for name in NAMES]
    winner = NAMES[grid.index(max(grid))]
    seeds = [every[f"runs/{winner[:-1]}{seed}"] for seed in (5, 6)]
    best = max(seeds, key=lambda dev: dev["accuracy"])

    assert len(every) == 3
    assert metrics["dev"] == best == every[metrics["best"]["run"]]
    for name in best:
        values = [one[name] for one in seeds]
        assert metrics["mean"][name] == pytest.approx(statistics.fmean(values))
        assert metrics["standard_deviation"][name] == pytest.approx(
            abs(values[0] - values[1]) / 2**0.5
        )
    run = done.path / metrics["best"]["run"]
    for part in ("model/model.safetensors", "dev/predictions.tsv"):
        assert (done.path / part).read_bytes() == (run / part).read_bytes()


def test_the_card_of_the_best_shows_the_others_and_their_spread(stopped_at):
    done, _, _ = stopped_at
    metrics = done.metrics
    card = (done.path / "model" / "README.md").read_text()
    run = (done.path / metrics["best"]["run"] / "model" / "README.md").read_text()

    assert card.startswith(run)
    for one in metrics["runs"]:
        row = [f"{one['learning_rate']:g}", "4", str(one["seed"])]
        assert f"| {' | '.join(row)} | {one['dev']['accuracy']:.4f} |" in card
    mean, spread = (
        metrics[name]["accuracy"] for name in ("mean", "standard_deviation")
    )
    assert f"of the 2 seeds: {mean:.4f} ± {spread:.4f}." in card


def test_a_finished_search_stays_as_it_is(stopped_at, go_all):
    done, _, _ = stopped_at
    seen = []
    again = go_all(done.path, resume=True, progress=seen.append)

    assert seen == []
    assert again.metrics == done.metrics
    assert again.task == done.task
    with pytest.raises(OutputError, match="holds a run"):
        go_all(done.path)
    with pytest.raises(ConfigError, match="tried.seeds was 2 and is now 3"):
        tried = Search(learning_rates=(0.01, 1e-6), seeds=3)
        go_all(done.path, resume=True, tried=tried)


def test_a_search_with_bad_files_leaves_nothing(go_all, tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.tsv"):
        go_all(tmp_path / "run", dev="nowhere.tsv")
    assert not (tmp_path / "run").exists()

    with pytest.raises(ConfigError, match="batch_size=3"):
        tried = Search(batch_sizes=(4, 3))
        settings = runs.settings(accumulate=2)
        go_all(tmp_path / "run", tried=tried, settings=settings)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": runs.settings(max_length=2)},
        {"settings": runs.settings(freeze_layers=2)},
        {"model": "nowhere"},
    ],
)
def test_a_search_is_replaced_only_by_one_that_can_be(stopped_at, go_all, changes):
    before = runs.digests(stopped_at[0].path)
    with pytest.raises(KbertError):
        go_all(stopped_at[0].path, **changes, overwrite=True)

    assert runs.digests(stopped_at[0].path) == before


def test_a_search_needs_a_dev_file(go_all, tmp_path):
    with pytest.raises(ConfigError, match="several runs without a dev set"):
        go_all(tmp_path / "run", dev=None)


def test_a_signal_while_a_run_is_saved_stops_the_search(go_all, tmp_path, monkeypatch):
    finish = Job.finish

    def slow_finish(self, evaluation):
        os.kill(os.getpid(), signal.SIGTERM)
        return finish(self, evaluation)

    monkeypatch.setattr(Job, "finish", slow_finish)
    with pytest.raises(Stopped, match="SIGTERM"):
        go_all(tmp_path / "run")
    monkeypatch.undo()

    assert [one.name for one in (tmp_path / "run" / "runs").iterdir()] == NAMES[:1]
    assert (tmp_path / "run" / "runs" / NAMES[0] / "metrics.json").exists()


def test_a_grid_without_seeds_has_no_mean(stopped_at, go_all, tmp_path):
    done, _, _ = stopped_at
    folder = tmp_path / "run"
    (folder / "runs").mkdir(parents=True)
    for name in NAMES:
        shutil.copytree(done.path / "runs" / name, folder / "runs" / name)
    identity = json.loads((done.path / "run.json").read_text())
    identity["tried"]["seeds"] = 1
    (folder / "run.json").write_text(json.dumps(identity))
    seen = []
    metrics = go_all(
        folder,
        resume=True,
        tried=Search(learning_rates=(0.01, 1e-6)),
        progress=seen.append,
    ).metrics

    assert seen == []
    assert [one["run"] for one in metrics["runs"]] == [f"runs/{one}" for one in NAMES]
    assert "mean" not in metrics


def test_what_not_every_run_has_is_left_out_of_the_mean(stopped_at, go_all, tmp_path):
    """As the F1 of a type that one run guesses and the dev file has not."""
    done, _, _ = stopped_at
    folder, seen = tmp_path / "run", []
    shutil.copytree(done.path / "runs", folder / "runs")
    shutil.copy(done.path / "run.json", folder)
    for path in (folder / "runs").glob("*_seed-5/metrics.json"):
        metrics = json.loads(path.read_text())
        metrics["dev"]["MISC_f1"] = 0.0
        path.write_text(json.dumps(metrics))
    metrics = go_all(folder, resume=True, progress=seen.append).metrics

    assert seen == []
    assert metrics["runs"][0]["dev"]["MISC_f1"] == 0.0
    for name in ("mean", "standard_deviation"):
        assert metrics[name] == done.metrics[name]


def diverging(*rates):
    return {
        "settings": runs.settings(epochs=1, warmup_fraction=0.0, log_every=1),
        "tried": Search(learning_rates=rates),
    }


def test_a_rate_that_diverges_is_told_and_left_out(go_all, tmp_path):
    bad, good = "rate-1e+30_batch-4_seed-5", NAMES[0]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", KbertWarning)
        done = go_all(tmp_path / "run", **diverging(1e30, 0.01))
    # Where matplotlib is missing, that is told too.
    (told,) = [str(one.message) for one in seen if "left out" in str(one.message)]
    (left_out,) = done.metrics["diverged"]
    (kept,) = done.metrics["runs"]

    assert re.search(rf"{re.escape(bad)}: step \d: .*\. This run is left out\.$", told)
    assert left_out["run"] == f"runs/{bad}"
    assert left_out["learning_rate"] == 1e30
    assert "not finite" in left_out["reason"]
    assert kept["run"] == done.metrics["best"]["run"] == f"runs/{good}"
    card = (done.path / "model" / "README.md").read_text()
    assert f"no longer finite: {bad}." in card


def test_a_search_of_which_nothing_is_left_is_an_error(go_all, tmp_path):
    with pytest.raises(DivergedError, match=r"rate-1e\+30_batch-4_seed-5: step \d"):
        go_all(tmp_path / "run", **diverging(1e30, 1e31))


def test_a_seed_that_diverges_is_not_left_out(go_all, tmp_path, monkeypatch):
    module = sys.modules["kbert.finetuning.search"]
    finetune = module.finetune

    def only_the_first_converges(*given, settings, **how):
        if settings.seed == 6:
            raise DivergedError("step 1: a loss is not finite")
        return finetune(*given, settings=settings, **how)

    monkeypatch.setattr(module, "finetune", only_the_first_converges)
    with pytest.raises(DivergedError, match="step 1"):
        go_all(tmp_path / "run", tried=Search(seeds=2))


def test_the_figure_that_picks_the_weights_picks_the_run(toy, tmp_path):
    """Of questions, that is the one at the threshold that the model is stored with."""
    answer = {"text": "b", "answer_start": 2}
    asked = [
        {"id": str(number), "question": "a", "answers": [answer] * (number % 3 > 0)}
        for number in range(12)
    ]
    paragraph = {"context": "a b c d", "qas": asked}
    for name in ("train", "dev"):
        article = {"title": name, "paragraphs": [paragraph]}
        (tmp_path / f"{name}.json").write_text(json.dumps({"data": [article]}))
    metrics = search(
        task_class("qa")(),
        toy / "model",
        train=tmp_path / "train.json",
        dev=tmp_path / "dev.json",
        output=tmp_path / "run",
        settings=runs.settings(epochs=1),
        tried=Search(seeds=2),
    ).metrics

    assert metrics["task"]["null_threshold"] is not None
    assert metrics["main_figure"] == "f1"
    assert metrics["best"]["f1"] == metrics["dev"]["f1"]
    best = max(metrics["runs"], key=lambda run: run["dev"]["f1"])
    assert metrics["best"]["run"] == best["run"]
