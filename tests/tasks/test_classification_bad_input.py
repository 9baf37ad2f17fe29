"""kbert/tasks/classification.py, labels.py: what is wrong with a file or an option"""

import numpy as np
import pytest

from kbert.errors import ConfigError, InputError, KbertError
from kbert.tasks.classification import Classification

TABLE = "text\tlabel\na b\tgood\nc\tbad\n\tgood\n"
BAD = {
    "empty file": ("", {}, r"train\.tsv: holds nothing to read as tsv"),
    "only a header": ("text\tlabel\n", {}, r"holds nothing to read as tsv"),
    "no label column": (
        "text\tgold\na\t1\n",
        {},
        r"label_column='label': no such column; expected one of 'text', 'gold'\. "
        r"Choose with --label-column",
    ),
    "no text column": (
        "a\tlabel\nb\t1\n",
        {"text_column": "q"},
        r"text_column='q': no such column; expected one of 'a', 'label'",
    ),
    "no pair column": (
        TABLE,
        {"text_pair_column": "q"},
        r"text_pair_column='q': no such column",
    ),
    "a cell too many": (
        "text\tlabel\na\t1\nb\tc\t0\n",
        {},
        r"train\.tsv, line 3: 3 columns; expected 2, as in the first line",
    ),
    "no label": (
        "text\tlabel\na\t1\nb\t \n",
        {},
        r"line 3: label ' '; expected a name without tabs",
    ),
    "one class": (
        "text\tlabel\na\t1\nb\t1\n",
        {},
        r"train\.tsv: every label is '1'; expected at least two classes .*label-column",
    ),
    "unknown label": (
        TABLE,
        {"labels": ("good", "fine")},
        r"train\.tsv, line 3: unknown label 'bad'; expected one of those of the "
        r"training data: good, fine",
    ),
    "unknown weight": (
        TABLE,
        {"class_weights": {"god": 2.0}},
        r"class weight for 'god'; expected a label of the training data: bad, good",
    ),
    "no weight": (
        TABLE,
        {"class_weights": {"good": 0}},
        r"class weight 0 for 'good'; expected a number above 0",
    ),
    "no way of weighing": (
        TABLE,
        {"class_weights": "equal"},
        r"class_weights='equal'; expected 'balanced'",
    ),
    "an empty name": (
        "text\tlabel\na\tx||y\nb\tx\n",
        {"multi_label": True},
        r"line 2: label ''; expected a name",
    ),
    "a name twice": (
        "text\tlabel\na\tx\nb\ty|y\n",
        {"multi_label": True},
        r"line 3: label 'y' stands twice",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gives_one_line_with_the_place_and_the_value(case, file):
    content, options, message = BAD[case]
    path = file(content)
    with pytest.raises(KbertError, match=message) as caught:
        task = Classification(**options)
        task.fitted(task.read(path))

    assert "\n" not in str(caught.value)


def test_a_list_of_labels_needs_multi_label(file):
    path = file('{"text": "a", "label": ["x", "y"]}', "a.jsonl")
    with pytest.raises(
        InputError, match=r"line 1: a list of 2 labels; expected one.*--multi-label"
    ):
        Classification().read(path)


def test_a_table_called_txt_has_to_be_told(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text(TABLE)
    with pytest.raises(ConfigError, match=r"train\.txt: is read as lines, .* --format"):
        Classification().read(str(path))

    assert len(Classification(format="tsv").read(str(path))) == 3


def test_words_are_no_text(file):
    path = file('{"text": ["a"], "label": "x"}', "a.jsonl")
    with pytest.raises(InputError, match=r"line 1: holds words; expected a text"):
        Classification().read(path)


def test_an_unknown_label_in_dev_is_named_with_its_line(file):
    task = Classification()
    task = task.fitted(task.read(file(TABLE)))
    dev = task.read(file("text\tlabel\na\tgood\nb\tBad\n", "dev.tsv"))
    with pytest.raises(
        InputError, match=r"dev\.tsv, line 3: unknown label 'Bad'; .*: bad, good\. "
    ):
        task.check(dev)


def test_examples_without_labels_cannot_be_scored(file):
    task = Classification(labels=("bad", "good"))
    examples = task.read(file("a\n", "texts.txt"), gold=False)
    guesses = task.guesses(examples, None, [np.array([0, 1], np.float32)], None)
    with pytest.raises(InputError, match=r"texts\.txt, line 1: has no label to score"):
        task.score(examples, guesses)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"glue": "SNLI"}, r"glue='SNLI'; expected one of CoLA, SST-2"),
        ({"glue": "STS-B"}, r"'STS-B' has scores: .*finetune regress"),
        ({"glue": "CoLA", "multi_label": True}, r"glue='CoLA' with multi_label"),
        (
            {"class_weights": "balanced", "multi_label": True},
            r"class_weights='balanced' with multi_label",
        ),
        ({"label_separator": ""}, r"label_separator=''; expected at least one"),
    ],
)
def test_options_that_do_not_go_together_are_errors(options, message):
    with pytest.raises(ConfigError, match=message):
        Classification(**options)
