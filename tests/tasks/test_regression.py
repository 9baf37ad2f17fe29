"""kbert/tasks/regression.py"""

import json

import numpy as np
import pytest

from kbert.errors import ConfigError, InputError
from kbert.tasks.regression import Regression

TABLE = "text\tmore\tlabel\na\tb\t1\nb\tb c\t 2.5e0\nc\t\t-.5\n"


def test_labels_are_numbers(file):
    examples = Regression(text_pair_column="more").read(file(TABLE))

    assert [(one.text_pair, one.label) for one in examples] == [
        ("b", 1.0),
        ("b c", 2.5),
        ("", -0.5),
    ]


def test_json_numbers_keep_all_their_digits(file):
    path = file('{"text": "a", "label": 0.1}\n{"text": "b", "label": 3}', "a.jsonl")

    assert [one.label for one in Regression().read(path)] == [0.1, 3.0]


@pytest.mark.parametrize("label", ["", "good", "nan", "inf", "1_000", "1,5", "0x1"])
def test_what_is_no_number_is_named_with_its_line(label, file):
    path = file(f"text\tlabel\na\t1\nb\t{label}\n")
    with pytest.raises(
        InputError,
        match=rf"train\.tsv, line 3: label '{label}'; expected a number, such as 3.5",
    ):
        Regression().read(path)


def test_a_list_is_no_number(file):
    path = file('{"text": "a", "label": [1]}', "a.jsonl")
    with pytest.raises(InputError, match=r"line 1: label \('1',\); expected a number"):
        Regression().read(path)


def test_numbers_that_are_all_the_same_teach_nothing(file):
    task = Regression()
    examples = task.read(file("text\tlabel\na\t2\nb\t2.0\n"))
    with pytest.raises(InputError, match=r"train\.tsv: every number is 2\.0; expected"):
        task.fitted(examples)


def test_numbers_that_are_all_the_same_measure_nothing(file):
    task = Regression()
    with pytest.raises(
        InputError, match=r"every number is 2\.0, so spearman is the sa"
    ):
        task.check_dev(task.read(file("text\tlabel\na\t2\nb\t2.0\n")))


def test_a_task_of_classes_is_no_regression():
    with pytest.raises(ConfigError, match=r"glue='CoLA' has classes\. Use kbert"):
        Regression(glue="CoLA")


def test_every_pair_is_a_row_with_its_number(file, tokenizer):
    task = Regression(text_pair_column="more")
    examples = task.read(file(TABLE))
    rows = task.fitted(examples).rows(examples, tokenizer, max_length=9, training=True)

    assert rows.inputs["token_ids"][1].tolist() == [2, 6, 3, 6, 7, 3]
    assert rows.inputs["token_ids"][2].tolist() == [2, 7, 3, 3]
    assert rows.targets["sequence_classifier"].values.tolist() == [1, 2.5, -0.5]
    assert rows.targets["sequence_classifier"].values.dtype == np.float32
    assert rows.weights["sequence_classifier"].values.tolist() == [1, 1, 1]


def test_guesses_are_scored_by_both_correlations(file):
    task = Regression()
    examples = task.read(file("text\tlabel\na\t1\nb\t2\nc\t3\n"))
    outputs = [np.array([one], np.float32) for one in (1, 2, 4)]
    guesses = task.guesses(examples, None, outputs, None)

    assert guesses == [1.0, 2.0, 4.0]
    assert task.score(examples, guesses) == pytest.approx(
        {"pearson": 3 / (28 / 3) ** 0.5, "spearman": 1}
    )
    assert task.main_figure in task.score(examples, guesses)


def test_predictions_have_a_row_for_each_example(file, tmp_path):
    task = Regression()
    examples = task.read(file("text\tlabel\na\t1\nb\t2\n"))
    task.write(tmp_path / "out.tsv", examples, [0.123456789, -3.0])

    assert (tmp_path / "out.tsv").read_text() == (
        "line\tgold\tprediction\n2\t1.0\t0.123457\n3\t2.0\t-3.0\n"
    )


def test_the_options_come_back_from_json():
    task = Regression(glue="STS-B", header=False, text_column="0", label_column="4")
    fields = json.loads(json.dumps(task.to_dict()))

    assert Regression.from_dict(fields, ()) == task
