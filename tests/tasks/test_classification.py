"""kbert/tasks/classification.py, labels.py, predictions.py, tables.py"""

import dataclasses
import json

import numpy as np
import pytest

from kbert.errors import ConfigError, InputError, KbertWarning, OutputError
from kbert.tasks.classification import ClassGuess, Classification
from kbert.tasks.labels import ordered_labels
from kbert.tasks.tables import TextExample

TABLE = "text\tlabel\na b\tgood\nc\tbad\n\tgood\n"


def outputs(*rows):
    return [np.array(row, np.float32) for row in rows]


def guess(task, examples, *rows):
    return task.guesses(examples, None, outputs(*rows), None)


# === Reading ===


def test_a_table_is_read_by_the_columns_text_and_label(file):
    examples = Classification().read(file(TABLE))

    assert [(one.line, one.text, one.label) for one in examples] == [
        (2, "a b", "good"),
        (3, "c", "bad"),
        (4, "", "good"),
    ]


def test_a_pair_is_read_by_named_columns(file):
    path = file('n,q,a,y\n7,"a,b",c,1\n', "train.csv")
    task = Classification(
        text_column="q", text_pair_column="a", label_column="y", id_column="n"
    )
    (example,) = task.read(path)

    assert (example.text, example.text_pair) == ("a,b", "c")
    assert (example.label, example.id) == ("1", "7")


def test_columns_are_numbers_without_a_header(file):
    path = file('0\t"a\n1\tb"\n')
    task = Classification(header=False, text_column="1", label_column="0")

    assert [(one.text, one.label) for one in task.read(path)] == [
        ('"a', "0"),
        ('b"', "1"),
    ]


def test_json_labels_may_be_numbers(file):
    path = file('{"text": "a", "label": 0}\n{"text": "b", "label": 1}\n', "a.jsonl")

    assert [one.label for one in Classification().read(path)] == ["0", "1"]


def test_without_gold_no_label_is_looked_for(file):
    examples = Classification().read(file("a b\nc\n", "texts.txt"), gold=False)

    assert [(one.text, one.label) for one in examples] == [("a b", None), ("c", None)]


def test_several_labels_stand_in_a_list_or_in_one_cell(file):
    listed = file(
        '{"text": "a", "label": ["x", "y"]}\n{"text": "", "label": []}', "a.jsonl"
    )
    cells = file("text\tlabel\na\tx;y\nb\t\n")
    task = Classification(multi_label=True, label_separator=";")

    for path in (listed, cells):
        assert [one.label for one in task.read(path)] == [("x", "y"), ()]


# === Labels ===


def test_blanks_around_labels_are_none_of_them(file):
    path = file("text\tlabel\na\trock, pop\nb\t pop ,jazz\n")
    several = Classification(multi_label=True, label_separator=",")

    assert [one.label for one in several.read(path)] == [
        ("rock", "pop"),
        ("pop", "jazz"),
    ]
    assert [one.label for one in Classification().read(path)] == [
        "rock, pop",
        "pop ,jazz",
    ]


@pytest.mark.parametrize(
    ("options", "labels", "message"),
    [
        ({"glue": "MRPC"}, ["0", "0"], "no label is '1', so f1 is the same whatever"),
        ({"glue": "CoLA"}, ["1", "1"], "every label is '1', so matthews is the same"),
        ({"multi_label": True}, [(), ()], "no text has a label, so f1_micro is the s"),
    ],
)
def test_held_out_examples_have_to_tell_models_apart(options, labels, message):
    task = Classification(labels=("0", "1"), **options)
    examples = [TextExample("dev.tsv", 2, "a", label=label) for label in labels]
    with pytest.raises(InputError, match=f"dev.tsv: {message}"):
        task.check_dev(examples)
    right = [dataclasses.replace(examples[0], label="1")]
    Classification(labels=("0", "1")).check_dev(right)  # accuracy is of any


def test_labels_are_in_order_of_number_or_of_name():
    assert ordered_labels({"10", "9", "-1"}) == ("-1", "9", "10")
    assert ordered_labels({"b", "10", "9", "B"}) == ("10", "9", "B", "b")
    assert ordered_labels({"1.5", "10"}) == ("1.5", "10")


def test_a_fitted_task_has_the_labels_of_its_training_file(file):
    task = Classification()
    fitted = task.fitted(task.read(file(TABLE)))

    assert fitted.labels == ("bad", "good")
    assert (fitted.units, fitted.loss, fitted.main_figure) == (
        2,
        "cross_entropy",
        "accuracy",
    )


def test_labels_that_are_given_keep_their_order(file):
    task = Classification(labels=("good", "so-so", "bad"))

    assert task.fitted(task.read(file(TABLE))).labels == ("good", "so-so", "bad")


def test_label_sets_are_fitted_to_all_their_labels(file):
    task = Classification(multi_label=True)
    fitted = task.fitted(task.read(file("text\tlabel\na\ty|x\nb\t\nc\tz\n")))

    assert fitted.labels == ("x", "y", "z")
    assert (fitted.loss, fitted.main_figure) == ("binary", "f1_micro")


# === Rows ===


def rows_of(task, examples, tokenizer, *, max_length=9, training=False):
    return task.rows(examples, tokenizer, max_length=max_length, training=training)


@pytest.mark.filterwarnings("ignore:.*are nothing to the tokenizer")
def test_every_example_is_a_row(file, tokenizer):
    task = Classification()
    examples = task.read(file(TABLE))
    rows = rows_of(task.fitted(examples), examples, tokenizer)

    assert [rows.inputs["token_ids"][row].tolist() for row in range(3)] == [
        [2, 5, 6, 3],
        [2, 7, 3],
        [2, 3],
    ]
    assert rows.targets["sequence_classifier"].values.tolist() == [1, 0, 1]
    assert rows.targets["sequence_classifier"].values.dtype == np.int32
    assert rows.weights["sequence_classifier"].values.tolist() == [1, 1, 1]
    assert rows.examples.tolist() == [0, 1, 2]


def test_texts_that_are_nothing_are_counted(file, tokenizer):
    task = Classification(labels=("0", "1"))
    examples = task.read(file("text\tlabel\na\t1\n\u200b\t0\n\t0\n"))
    with pytest.warns(KbertWarning, match=r"2 of 3 texts are nothing .* in line 3;"):
        assert len(rows_of(task, examples, tokenizer)) == 3


def test_a_pair_is_two_segments(file, tokenizer):
    task = Classification(text_pair_column="more", labels=("0", "1"))
    examples = task.read(file("text\tmore\tlabel\na\tb c\t1\n"))
    rows = rows_of(task, examples, tokenizer)

    assert rows.inputs["token_ids"][0].tolist() == [2, 5, 3, 6, 7, 3]
    assert rows.inputs["segment_ids"][0].tolist() == [0, 0, 0, 1, 1, 1]


def test_rows_without_labels_have_no_targets(file, tokenizer):
    task = Classification(labels=("0", "1"))
    rows = rows_of(task, task.read(file("a\n", "a.txt"), gold=False), tokenizer)

    assert not rows.targets
    assert not rows.weights
    assert len(rows) == 1


def test_label_sets_are_rows_of_zeros_and_ones(file, tokenizer):
    task = Classification(multi_label=True, labels=("x", "y", "z"))
    examples = task.read(file("text\tlabel\na\tz|x\nb\t\n"))
    target = rows_of(task, examples, tokenizer).targets["sequence_classifier"].values

    assert target.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert target.dtype == np.float32


@pytest.mark.filterwarnings("ignore:.*are nothing to the tokenizer")
def test_class_weights_count_in_training_only(file, tokenizer):
    task = Classification(class_weights="balanced")
    examples = task.read(file(TABLE))
    task = task.fitted(examples)
    weights = {
        training: rows_of(task, examples, tokenizer, training=training)
        .weights["sequence_classifier"]
        .values
        for training in (True, False)
    }

    np.testing.assert_allclose(weights[True], [3 / 4, 3 / 2, 3 / 4])
    assert weights[False].tolist() == [1, 1, 1]


def test_texts_that_are_cut_are_counted_once_for_each_file(file, tokenizer):
    task = Classification(labels=("0", "1"))
    long = task.read(file("text\tlabel\na b c d\t0\na\t1\na b c\t1\n"))
    short = task.read(file("text\tlabel\na b\t0\n", "dev.tsv"))
    with pytest.warns(KbertWarning, match=r"train\.tsv: 2 of 3 texts") as caught:
        rows = rows_of(task, [*long, *short], tokenizer, max_length=4)

    assert len(caught) == 1
    assert "longer than 4 tokens; their last 3 word pieces" in str(caught[0].message)
    assert "if the model's max_sequence_length is above 4" in str(caught[0].message)
    assert rows.inputs["token_ids"][0].tolist() == [2, 5, 6, 3]
    assert len(rows) == 4


# === Guesses, figures, files ===


def test_the_guess_is_the_class_of_the_highest_output(file):
    task = Classification(labels=("bad", "good", "so-so"))
    examples = task.read(file(TABLE))
    first, second = guess(task, examples, [0, np.log(3), 0], [1000, -1000, 0])

    assert first.label == "good"
    np.testing.assert_allclose(first.probabilities, [0.2, 0.6, 0.2], rtol=1e-6)
    assert second.label == "bad"
    assert second.probabilities.tolist() == [1, 0, 0]


def test_a_text_gets_all_labels_that_are_more_likely_than_not():
    task = Classification(labels=("x", "y", "z"), multi_label=True)
    one, none = guess(task, [], [np.log(3), -1, 1000], [-1, -1000, 0])

    assert (one.label, none.label) == (("x", "z"), ())
    np.testing.assert_allclose(one.probabilities[[0, 2]], [0.75, 1])


def test_two_classes_are_scored_by_the_second(file):
    task = Classification(labels=("bad", "good"))
    examples = task.read(file(TABLE))  # good, bad, good
    figures = task.score(examples, guess(task, examples, [0, 1], [0, 1], [1, 0]))

    assert figures == pytest.approx(
        {"accuracy": 1 / 3, "f1": 2 / (2 + 1 + 1), "matthews": (0 - 1) / 2}
    )


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("train.tsv", {}),
        ("unmatched.tsv", {}),
        ("test_matched.tsv", {"accuracy_matched": 2 / 3}),
        ("MNLI-mismatched.tsv", {"accuracy_mismatched": 2 / 3}),
        # 3 texts, 2 right; each right once; guessed 1, 2 and 0 times.
        ("diagnostic-full.tsv", {"matthews": (2 * 3 - 3) / ((9 - 5) * (9 - 3)) ** 0.5}),
    ],
)
def test_a_set_of_mnli_is_known_by_its_name(file, name, own):
    labels = ("entailment", "neutral", "contradiction")
    task = Classification(glue="MNLI", labels=labels, text_column="text")
    rows = "".join(f"a\t{label}\n" for label in labels)
    examples = task.read(file(f"text\tlabel\n{rows}", name))
    guesses = guess(task, examples, [1, 0, 0], [0, 1, 0], [0, 1, 0])

    assert task.score(examples, guesses) == pytest.approx({"accuracy": 2 / 3, **own})


def test_label_sets_are_scored_by_label(file):
    task = Classification(labels=("x", "y"), multi_label=True)
    examples = task.read(file("text\tlabel\na\tx\nb\tx|y\n"))
    figures = task.score(examples, guess(task, examples, [1, 1], [1, 1]))

    assert figures == pytest.approx(
        {"accuracy": 1 / 2, "f1_macro": (1 + 2 / 3) / 2, "f1_micro": 6 / 7}
    )


def test_predictions_have_a_row_for_each_example(file, tmp_path):
    task = Classification(labels=("bad", "good"), id_column="n")
    examples = task.read(file("n\ttext\nx\ta\ny\tb\n", "test.tsv"), gold=False)
    guesses = [
        ClassGuess("good", np.array([0.25, 0.75], np.float32)),
        ClassGuess("bad", np.array([1, 1e-9], np.float32)),
    ]
    task.write(tmp_path / "out.tsv", examples, guesses)

    assert (tmp_path / "out.tsv").read_text() == (
        "line\tid\tlabel\tprobability:bad\tprobability:good\n"
        "2\tx\tgood\t0.25\t0.75\n"
        "3\ty\tbad\t1.0\t1e-09\n"
    )


def test_predictions_can_be_json_lines(file, tmp_path):
    task = Classification(labels=("x", "é"), multi_label=True)
    examples = task.read(file("text\tlabel\na\té\n"))
    task.write(tmp_path / "out.jsonl", examples, guess(task, examples, [0, 1000]))

    assert json.loads((tmp_path / "out.jsonl").read_text("utf-8")) == {
        "line": 2,
        "gold": ["é"],
        "label": ["é"],
        "probability": {"x": 0.5, "é": 1.0},
    }


def test_predictions_go_into_a_folder(file, tmp_path):
    task = Classification(labels=("x", "y"), multi_label=True)
    examples = task.read(file("text\tlabel\na\tx|y\n"))
    task.write(tmp_path / "out", examples, guess(task, examples, [0, 0]))

    assert (tmp_path / "out" / "predictions.tsv").read_text() == (
        "line\tgold\tlabel\tprobability:x\tprobability:y\n2\tx|y\t\t0.5\t0.5\n"
    )


def test_predictions_of_label_sets_are_joined_as_they_were_read(file, tmp_path):
    task = Classification(labels=("x|y", "z"), multi_label=True, label_separator="; ")
    examples = task.read(file("text\tlabel\na\tz; x|y\n"))
    task.write(tmp_path / "out.tsv", examples, guess(task, examples, [1, 2]))
    again = dataclasses.replace(task, text_column="line", label_column="label")

    assert (tmp_path / "out.tsv").read_text().splitlines()[1].split("\t")[:3] == [
        "2",
        "z; x|y",
        "x|y; z",
    ]
    assert again.read(str(tmp_path / "out.tsv"))[0].label == ("x|y", "z")


def test_predictions_have_no_other_ending(tmp_path):
    with pytest.raises(OutputError, match=r"out\.csv: predictions cannot be written"):
        Classification().write(tmp_path / "out.csv", [], [])


def test_the_options_come_back_from_json(file):
    task = Classification(
        labels=("0", "1"),
        class_weights={"1": 2.0},
        text_column="a",
        header=False,
        uneven_rows="cut",
    )
    fields = json.loads(json.dumps(task.to_dict()))

    assert "labels" not in fields
    assert Classification.from_dict(fields, ("0", "1")) == task


def test_an_unknown_option_is_named():
    with pytest.raises(ConfigError, match="unknown option 'colour' of a Class"):
        Classification.from_dict({"colour": 1}, ())
