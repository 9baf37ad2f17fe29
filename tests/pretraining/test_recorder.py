"""kbert/training/recorder.py in runs of kbert.pretrain: numbers that are not finite"""

import itertools

import numpy as np
import pretraining_runs as runs
import pytest
from safetensors.numpy import load_file

import kbert
from kbert import TrainingError
from kbert.pretraining import job, run
from kbert.training.recorder import _last_sound
from kbert.training.state import checkpoints

WEIGHT = "layer_1/intermediate/kernel"


@pytest.fixture
def spoiling(monkeypatch):
    """Makes a progress function that spoils a weight after some steps.

    Before the next step the weight is whole again, unless it is spoilt for good.
    """
    models = []
    build = run.build_pretraining_model

    def building(*given, **named):
        models.append(build(*given, **named))
        return models[-1]

    monkeypatch.setattr(run, "build_pretraining_model", building)

    def make(after, *, value=np.nan, for_good=False):
        kept = {}

        def progress(step, tokens, means):
            (weight,) = (one for one in models[-1].weights if one.path == WEIGHT)
            if kept and not for_good:
                weight.assign(kept.pop("values"))
            if step in after:
                kept["values"] = weight.numpy()
                spoilt = kept["values"].copy()
                spoilt[0, 0] = value
                weight.assign(spoilt)

        return progress

    return make


def go(data, folder, **changes):
    settings = {"log_every": 2, "save_every": 6, "evaluate_every": 6, "steps": 18}
    progress = changes.pop("progress", None)
    return kbert.pretrain(
        data,
        folder,
        config=runs.config(),
        settings=runs.settings(**{**settings, **changes}),
        progress=progress,
    )


def all_finite(folder):
    """Whether every number of every checkpoint but the means is finite."""
    arrays = [load_file(path / "state.safetensors") for path in checkpoints(folder)]
    return all(
        np.isfinite(values).all()
        for one in arrays
        for name, values in one.items()
        if not name.startswith("means/")
    )


# The line after step 10 tells of the step that came after step 8, whose gradients are
# all NaN: the first of them is the token embedding's.
def test_a_gradient_that_is_not_finite_stops_with_step_and_tensor(
    unlabelled, tmp_path, spoiling
):
    with pytest.raises(
        TrainingError, match="step 9: the gradient of embeddings/token is not finite"
    ) as caught:
        go(unlabelled, tmp_path, progress=spoiling([8]))

    assert "\n" not in str(caught.value)
    assert "--on-nonfinite skip" in str(caught.value)
    assert runs.checkpoint_names(tmp_path) == ["step-00000006"]
    assert all_finite(tmp_path)
    assert [line["step"] for line in runs.read_lines(tmp_path)] == [2, 4, 6, 8]


def test_skipping_counts_and_goes_on(unlabelled, tmp_path, spoiling):
    go(unlabelled, tmp_path, progress=spoiling([3, 8]), on_nonfinite="skip")
    lines = runs.read_lines(tmp_path)

    assert [line["step"] for line in lines] == list(range(2, 19, 2))
    assert [line.get("nonfinite_steps", 0) for line in lines] == [0, 1, 1, 1] + [2] * 5
    for line in lines:
        spoilt = line["step"] in (4, 10)
        assert ("masked_lm_loss" in line) != spoilt
        assert ("masked_lm_perplexity" in line) != spoilt
    assert all_finite(tmp_path)
    assert (tmp_path / "model").is_dir()


def test_skipping_gives_up_when_ten_steps_in_a_row_were_left_out(
    unlabelled, tmp_path, spoiling
):
    with pytest.raises(
        TrainingError,
        match="the gradient of embeddings/token is not finite, and 10 steps in a row",
    ):
        go(
            unlabelled,
            tmp_path,
            progress=spoiling([4], for_good=True),
            on_nonfinite="skip",
            save_every=20,
            evaluate_every=20,
        )

    assert runs.read_lines(tmp_path)[-1]["step"] == 12


# The first step makes weights of 1e30; all gradients after it overflow.
@pytest.mark.parametrize(
    "optimizer", ["adamw", pytest.param("lamb", marks=pytest.mark.slow)]
)
def test_a_learning_rate_far_too_high_never_leaves_a_bad_checkpoint(
    unlabelled, tmp_path, optimizer
):
    with pytest.raises(TrainingError, match=r"step \d: .* is not finite"):
        go(
            unlabelled,
            tmp_path,
            learning_rate=1e30,
            warmup_steps=0,
            save_every=1,
            evaluate_every=1,
            log_every=1,
            optimizer=optimizer,
        )

    assert all_finite(tmp_path)
    assert not (tmp_path / "model").exists()


def test_an_evaluation_that_is_not_finite_stops_the_run(
    unlabelled, tmp_path, monkeypatch
):
    figures = {"masked_lm_loss": float("inf")}
    monkeypatch.setattr(job.Job, "_evaluation", lambda *_: lambda: figures)
    with pytest.raises(
        TrainingError, match="step 6: evaluation_masked_lm_loss is not finite"
    ):
        go(unlabelled, tmp_path)

    assert not (tmp_path / "checkpoints").exists()


def lines_of(*counts):
    """A line every two steps, with how many had been left out by then."""
    return [
        {"step": step, "nonfinite_steps": count}
        for step, count in zip(itertools.count(2, 2), counts)
    ]


@pytest.mark.parametrize(
    ("lines", "step", "left_out", "sound"),
    [
        ([], 3, 2, 3),  # one of the three steps was sound
        ([], 3, 3, 0),
        (lines_of(0, 0), 6, 2, 4),
        (lines_of(0, 1), 6, 3, 4),
        (lines_of(0, 1, 3), 8, 5, 4),
        (lines_of(0, 1, 3), 8, 4, 8),
        (lines_of(2, 4), 6, 6, 0),
    ],
)
def test_steps_in_a_row_are_counted_from_the_last_line_of_a_sound_one(
    lines, step, left_out, sound
):
    assert _last_sound(lines, step, left_out) == sound
