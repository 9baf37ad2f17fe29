"""kbert/training/state.py"""

import itertools
import json
import os
import signal
from pathlib import Path

import keras
import numpy as np
import pytest

from kbert import AdamW, CheckpointError, KbertWarning, TrainingError
from kbert.training.state import (
    checkpoints,
    newest_state,
    restore,
    save_state,
    variables_of,
)


class Group:
    """Stands for a model or an optimizer: it has ``variables``."""

    def __init__(self, **arrays):
        self.variables = [Variable(path, array) for path, array in arrays.items()]


class Variable:
    """Stands for a Keras variable: an array with a path."""

    def __init__(self, path, values):
        self.path, self.values = path, np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return self.values

    @property
    def shape(self):
        return self.values.shape

    def assign(self, values):
        self.values = np.array(values)


def make_model(value):
    """A model of which every number is the given one."""
    model = Group(kernel=np.full((3, 2), value, "float32"), seed=np.full(2, value))
    model.optimizer = Group(iteration=np.int64(value), momentum=np.float32([value] * 5))
    model.metrics_variables = [Variable("loss/total", np.float32(value))]
    return model


def values(model):
    return {name: np.array(one).tolist() for name, one in variables_of(model).items()}


def save(run, *steps, keep=2):
    for step in steps:
        save_state(make_model(step), run, step=step, keep=keep)


def names(run):
    return [path.name for path in checkpoints(run)]


def test_every_variable_comes_back(tmp_path):
    save(tmp_path, 7)
    step, arrays = newest_state(tmp_path)
    model = make_model(0)
    restore(model, arrays, where=tmp_path)

    assert step == 7
    assert values(model) == values(make_model(7))
    assert {name: one.dtype for name, one in arrays.items()} == {
        "model/0000/kernel": np.float32,
        "model/0001/seed": np.int64,
        "optimizer/0000/iteration": np.int64,
        "optimizer/0001/momentum": np.float32,
        "means/0000/loss/total": np.float32,
    }


def test_dropout_seeds_and_the_optimizer_of_a_keras_model_are_among_them():
    inputs = keras.Input((3,))
    outputs = keras.layers.Dropout(0.5)(keras.layers.Dense(2, name="dense")(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(AdamW(gradient_accumulation_steps=2), loss="mse")
    model.optimizer.build(model.trainable_variables)
    found = {name.split("/", 2)[2] for name in variables_of(model)}

    assert len(found) == len(variables_of(model))
    for what in (
        *("dense/kernel", "seed_generator_state", "adamw/iteration"),
        *("kernel_momentum", "kernel_velocity", "bias_gradient_accumulator"),
        "nonfinite_steps",
    ):
        assert any(what in path for path in found), (what, found)


def test_the_newest_stay(tmp_path):
    save(tmp_path, 2, 4, 6, 8, keep=3)

    assert names(tmp_path) == ["step-00000004", "step-00000006", "step-00000008"]


def test_steps_of_more_digits_are_newer(tmp_path):
    save(tmp_path, 99_999_999, 100_000_000, 100_000_001)

    assert names(tmp_path) == ["step-100000000", "step-100000001"]
    assert newest_state(tmp_path)[0] == 100_000_001


def test_nothing_saved_is_no_state(tmp_path):
    assert newest_state(tmp_path) is None


def damage(path, how):
    state, manifest = path / "state.safetensors", path / "manifest.json"
    content = bytearray(state.read_bytes())
    if how == "one bit":
        content[-3] ^= 4
        state.write_bytes(content)
    elif how == "cut off":
        state.write_bytes(content[:-5])
    elif how == "gone":
        state.unlink()
    elif how == "no manifest":
        manifest.unlink()
    elif how == "half a manifest":
        manifest.write_text(manifest.read_text()[:20])
    elif how == "another manifest":
        manifest.write_text('{"step": "7", "files": []}')
    elif how == "an entry without digest":
        manifest.write_text('{"step": 7, "files": {"state.safetensors": {}}}')


KINDS = (
    *("one bit", "cut off", "gone", "no manifest", "half a manifest"),
    *("another manifest", "an entry without digest"),
)


@pytest.mark.parametrize("how", KINDS)
def test_a_damaged_one_is_passed_over_for_the_one_before(tmp_path, how):
    save(tmp_path, 5, 7)
    damage(checkpoints(tmp_path)[-1], how)
    with pytest.warns(KbertWarning, match="step-00000007.*step-00000005 is used inst"):
        step, arrays = newest_state(tmp_path)

    assert step == 5
    assert arrays["optimizer/0000/iteration"] == 5


@pytest.mark.parametrize("how", KINDS)
def test_damage_to_all_is_told_with_its_file(tmp_path, how):
    save(tmp_path, 7)
    damage(checkpoints(tmp_path)[-1], how)

    with pytest.raises(CheckpointError, match=r"step-00000007.*: no checkpoint is who"):
        newest_state(tmp_path)


# With keep=1 the one that was just written must not make room for the damaged one.
@pytest.mark.parametrize("keep", [1, 2])
def test_what_is_newer_than_a_new_checkpoint_goes_first(tmp_path, keep):
    save(tmp_path, 4, 8, keep=2)
    save(tmp_path, 6, keep=keep)

    assert names(tmp_path) == ["step-00000004", "step-00000006"][-keep:]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("group", ["model", "optimizer"])
def test_a_number_that_is_not_finite_is_named_and_never_written(tmp_path, group, value):
    save(tmp_path, 1)
    model = make_model(2)
    own = model if group == "model" else model.optimizer
    own.variables[-1 if group == "optimizer" else 0].values.flat[1] = value
    name = {"model": "model/0000/kernel", "optimizer": "optimizer/0001/momentum"}[group]
    with pytest.raises(TrainingError, match=f"step 2: {name} is not finite"):
        save_state(model, tmp_path, step=2, keep=2)

    assert names(tmp_path) == ["step-00000001"]


def test_a_mean_that_a_left_out_step_spoilt_is_saved_as_it_is(tmp_path):
    model = make_model(2)
    model.metrics_variables[0].assign(np.float32(np.nan))
    save_state(model, tmp_path, step=2, keep=2)

    assert np.isnan(newest_state(tmp_path)[1]["means/0000/loss/total"])


def test_a_host_that_does_not_write_writes_nothing(tmp_path):
    save_state(make_model(1), tmp_path, step=1, keep=2, write=False)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda model: model.variables.pop(0), "model/0000/seed"),
        (
            lambda model: model.variables.append(Variable("more", 1)),
            "model/0002/more",
        ),
        (
            lambda model: model.variables[0].assign(np.zeros((2, 3))),
            "model/0000/kernel",
        ),
    ],
)
def test_a_state_of_another_model_is_refused(tmp_path, change, what):
    save(tmp_path, 3)
    model = make_model(0)
    change(model)
    before = values(model)
    with pytest.raises(CheckpointError, match=f"does not fit the model: .*{what}"):
        restore(model, newest_state(tmp_path)[1], where=tmp_path)

    assert values(model) == before


CALLS = ("fsync", "replace", "mkdir", "rmdir", "unlink")


def killed_at(count, body):
    """Run ``body`` in a fork that dies before its file operation of that number."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    numbers = itertools.count(1)

    def counted(original):
        def replacement(*args, **kwargs):
            if next(numbers) == count:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        return replacement

    for call in CALLS:
        setattr(os, call, counted(getattr(os, call)))
    body()
    os._exit(0)


# A fork of the process that runs the tests: it has only NumPy to do.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("keep", [1, 2])
def test_killed_at_every_step_of_a_save_a_whole_checkpoint_is_there(tmp_path, keep):
    seen, deaths = [], 0
    for count in itertools.count(1):
        run = tmp_path / str(count)
        save(run, 3, 5, keep=keep)
        if killed_at(count, lambda run=run: save(run, 7, keep=keep)) == 0:
            break
        deaths += 1
        seen.append(newest_state(run)[0])
        save(run, 7, keep=keep)
        assert newest_state(run)[0] == 7
        assert len(names(run)) == keep

    assert deaths > 5
    assert seen == sorted(seen)
    assert set(seen) == {5, 7}


def test_the_folder_is_what_the_docstring_says(tmp_path):
    save(tmp_path, 1000)
    (path,) = checkpoints(tmp_path)
    manifest = json.loads((path / "manifest.json").read_text())

    assert path == Path(tmp_path, "checkpoints", "step-00001000")
    assert manifest["step"] == 1000
    assert manifest["variables"] == 5
    assert set(manifest["files"]) == {"state.safetensors"}
