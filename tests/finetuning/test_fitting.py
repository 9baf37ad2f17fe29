"""kbert/finetuning/fitting.py"""

import pytest

import kbert
from kbert.errors import CheckpointError
from kbert.finetuning.fitting import fit_to_heads
from kbert.tasks.choice import MultipleChoice
from kbert.tasks.classification import Classification
from kbert.tasks.regression import Regression
from kbert.tasks.squad import QuestionAnswering
from kbert.tasks.tagging import Tagging


@pytest.fixture
def fit(tiny_bert):
    """The task that fits a model with heads of so many outputs."""

    def call(task, labels=(), **units):
        bert = kbert.with_heads(tiny_bert, units, labels=labels)
        return fit_to_heads(task, bert, where="model")

    return call


@pytest.mark.parametrize(
    ("task", "units", "labels"),
    [
        (Classification(), 3, ("0", "1", "2")),
        (Classification(glue="MNLI"), 3, ("entailment", "neutral", "contradiction")),
        (Classification(glue="MNLI"), 2, ("0", "1")),
        (Classification(glue="RTE"), 2, ("entailment", "not_entailment")),
        (Classification(multi_label=True), 1, ("0",)),
        (Classification(labels=("b", "a")), 2, ("b", "a")),
    ],
)
def test_classes_without_names_get_some(fit, task, units, labels):
    assert fit(task, sequence_classifier=units).labels == labels


def test_the_names_of_a_model_come_before_those_of_glue(fit):
    names = ("negative", "positive")
    task = fit(Classification(glue="SST-2"), names, sequence_classifier=2)

    assert task == Classification(glue="SST-2", labels=names)


def test_tags_say_their_scheme(fit):
    names = ("O", "B-X", "I-X", "E-X", "S-X")
    crf = fit(Tagging(crf=True), names, token_classifier=5, crf=5)

    assert (crf.scheme, crf.labels) == ("iobes", names)
    assert fit(Tagging(), token_classifier=2) == Tagging(
        scheme="plain", labels=("0", "1")
    )


def test_tags_that_do_not_say_their_scheme_can_be_told_it(fit):
    names = ("O", "B-X", "Y")
    with pytest.raises(CheckpointError, match="model: its labels: .*'Y'.* --scheme"):
        fit(Tagging(), names, token_classifier=3)

    assert fit(Tagging(scheme="plain"), names, token_classifier=3).labels == names


def test_other_tasks_have_no_names(fit):
    for task, units in (
        (Regression(), {"sequence_classifier": 1}),
        (MultipleChoice(), {"multiple_choice": 1}),
        (QuestionAnswering(), {"span": 2}),
    ):
        assert fit(task, ("score",), **units) == task


@pytest.mark.parametrize(
    ("task", "units", "message"),
    [
        (Regression(), {"sequence_classifier": 3}, "sequence_classifier has 3 outputs"),
        (Classification(), {"sequence_classifier": 1}, "1 output; expected 2, as the"),
        (
            Classification(labels=("a", "b")),
            {"sequence_classifier": 3},
            "has 3 outputs; expected 2, as the task 'classify' reads",
        ),
        (Tagging(), {"token_classifier": 1}, "token_classifier has 1 output; expected"),
        (
            Tagging(crf=True),
            {"token_classifier": 3, "crf": 4},
            "its head crf has 4 outputs; expected 3, as the task 'ner' reads",
        ),
        (MultipleChoice(), {"multiple_choice": 2}, "multiple_choice has 2 outputs; ex"),
        (
            QuestionAnswering(),
            {"sequence_classifier": 2},
            "has no head span, which the task 'qa' reads; expected one of sequence_c",
        ),
        (Tagging(), {}, "has no head token_classifier, .*: it has none"),
    ],
)
def test_heads_of_other_sizes_are_one_line(fit, task, units, message):
    with pytest.raises(CheckpointError, match=f"^model: .*{message}") as caught:
        fit(task, **units)

    assert "\n" not in str(caught.value)
