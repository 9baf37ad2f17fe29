"""kbert/finetuning/start.py"""

import dataclasses

import finetuning_runs as runs
import numpy as np
import pytest

import kbert
from kbert import CheckpointError, ConfigError, FineTuningSettings
from kbert.finetuning.start import freeze, longest_row, rate_factors, starting_model
from kbert.model import model_variables, with_heads
from kbert.task_model import build_task_model
from kbert.tasks import task_class


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A model of three layers with a pooler."""
    return runs.make_model(tmp_path_factory.mktemp("start") / "model", num_layers=3)


@pytest.fixture(scope="module")
def task():
    return task_class("classify")(labels=("no", "yes", "maybe"))


def start(source, task, **settings):
    return starting_model(source, task, FineTuningSettings(**settings), dtype="float32")


def changed(bert, other):
    """The parts of which a variable is another one."""
    theirs = model_variables(other)
    return {
        path.partition("/")[0]
        for path, one in model_variables(bert).items()
        if path not in theirs or not np.array_equal(one.numpy(), theirs[path].numpy())
    }


def test_a_model_gets_a_head_of_the_task_and_keeps_its_weights(source, task):
    bert = start(source, task)

    assert {name: head.units for name, head in bert.heads.items()} == {
        "sequence_classifier": 3
    }
    assert bert.labels == ("no", "yes", "maybe")
    assert changed(bert, kbert.load(source)) == {"sequence_classifier"}


def test_the_dropout_of_training_stays_out_of_the_config(source, task):
    bert = start(source, task, dropout=0.4)

    assert bert.config.dropout == 0.1
    assert bert.encoder.get_layer("layer_1").options["dropout"] == 0.4
    assert bert.heads["sequence_classifier"].rate == 0.4


def test_the_last_layers_and_the_pooler_begin_anew(source, task):
    bert = start(source, task, reinitialize_layers=2)

    new = {"layer_2", "layer_3", "pooler", "sequence_classifier"}
    assert changed(bert, kbert.load(source)) == new


def test_a_pooler_that_is_not_read_stays_for_what_is_trained_next(
    source, task, tmp_path
):
    tagging = task_class("ner")(labels=("O", "B-X", "I-X"), scheme="iob2")
    kbert.save(start(source, tagging), tmp_path / "tagger")
    anew = start(source, tagging, reinitialize_layers=1)

    assert changed(start(tmp_path / "tagger", task), kbert.load(source)) == {
        "sequence_classifier"
    }
    assert "pooled_output" not in anew.encoder.output


def test_a_head_of_the_same_labels_goes_on_and_another_one_begins_anew(
    source, task, tmp_path
):
    kbert.save(start(source, task), tmp_path / "trained")
    again = start(tmp_path / "trained", task)
    other = start(
        tmp_path / "trained", dataclasses.replace(task, labels=("a", "b", "c"))
    )
    trained = kbert.load(tmp_path / "trained")

    assert changed(again, trained) == set()
    assert changed(other, trained) == {"sequence_classifier"}
    assert changed(start(tmp_path / "trained", task, reinitialize_layers=1), trained)


def test_frozen_layers_are_not_trained(source, task):
    bert = start(source, task)
    freeze(bert, 2)
    model = build_task_model(bert, task.head)
    trained = {one.path.partition("/")[0] for one in model.trainable_variables}

    assert trained == {"layer_3", "pooler", "sequence_classifier"}
    freeze(other := start(source, task), 0)
    model = build_task_model(other, task.head)
    assert len(model.trainable_variables) == len(model_variables(other))


def test_each_layer_has_a_lower_rate_than_the_one_above(source):
    factors = rate_factors(kbert.load(source).config, 0.5)

    assert factors == {
        "embeddings": 1 / 16,
        "layer_1": 1 / 8,
        "layer_2": 1 / 4,
        "layer_3": 1 / 2,
        "crf": 100.0,
    }
    assert rate_factors(kbert.load(source).config, 1.0) == {"crf": 100.0}


def without_pooler(source, folder):
    bert = kbert.load(source, without_heads=("pooler",))
    kbert.save(bert, folder)
    return folder


def test_a_model_without_a_pooler_says_what_is_missing(source, task, tmp_path):
    folder = without_pooler(source, tmp_path / "bare")
    with pytest.raises(
        CheckpointError, match="bare: has no pooler, which the head sequence_classifier"
    ) as error:
        start(folder, task)

    assert "--reinitialize-layers 1" in str(error.value)
    assert "pooler" in changed(
        start(folder, task, reinitialize_layers=1), kbert.load(source)
    )


def test_a_model_without_a_vocabulary_is_refused(source, task, tmp_path):
    bert = dataclasses.replace(kbert.load(source), tokenizer=None)
    kbert.save(bert, tmp_path / "mute")
    with pytest.raises(CheckpointError, match="mute: has no vocabulary"):
        start(tmp_path / "mute", task)


@pytest.mark.parametrize(
    "settings",
    [
        {"freeze_layers": 4},
        {"reinitialize_layers": 4},
        {"freeze_layers": 2, "reinitialize_layers": 2},
    ],
)
def test_more_layers_than_there_are_is_refused(source, task, settings):
    with pytest.raises(ConfigError, match="expected at most the 3 layers of the model"):
        start(source, task, **settings)


def test_a_row_is_at_most_as_long_as_the_model_takes(source):
    bert = with_heads(kbert.load(source), {"span": 2})

    assert longest_row(FineTuningSettings(), bert, where="m") == 24
    assert longest_row(FineTuningSettings(max_length=9), bert, where="m") == 9
    with pytest.raises(ConfigError, match="m: max_length=25; expected at most .*24"):
        longest_row(FineTuningSettings(max_length=25), bert, where="m")
