"""kbert/tasks/choice.py"""

import json
import os

import numpy as np
import pytest

from kbert.errors import ConfigError, InputError, KbertError, KbertWarning
from kbert.tasks.choice import MultipleChoice

SWAG = (
    ",video-id,fold-ind,startphrase,sent1,sent2,gold-source,"
    "ending0,ending1,ending2,ending3,label\n"
    '0,v,1,"a, b",a,b,gold,"c, d",d,e,a,3\n'
)
CODAH = "o\ta\tb\tc\t\td e\t1\nn\tb\tc\td\te\ta\t0\n"
LINES = (
    '{"prompt": "a", "endings": ["b", "c"], "label": 1}\n'
    '{"prompt": "b c", "endings": ["d", ""], "label": "0"}\n'
)


@pytest.fixture
def file(file):
    return lambda content, name="train.jsonl": file(content, name)


def seen(examples):
    return [(one.prompt, one.endings, one.label) for one in examples]


def test_swag_is_known_by_its_header_and_its_endings_begin_alike(file):
    examples = MultipleChoice().read(file(SWAG, "train.csv"))

    assert seen(examples) == [("a", ("b c, d", "b d", "b e", "b a"), 3)]


def test_codah_is_known_by_its_columns(file):
    examples = MultipleChoice().read(file(CODAH, "data.tsv"))

    assert seen(examples) == [
        ("a", ("b", "c", "", "d e"), 1),
        ("b", ("c", "d", "e", "a"), 0),
    ]
    assert MultipleChoice(header=False).read(file(CODAH, "data.tsv")) == examples


def test_json_lines_have_any_number_of_endings(file):
    assert seen(MultipleChoice().read(file(LINES))) == [
        ("a", ("b", "c"), 1),
        ("b c", ("d", ""), 0),
    ]


def test_a_table_with_prompt_and_endings_is_known(file):
    path = file("label\tprompt\tending0\tending1\tending2\n2\ta\tb\tc\td\n", "a.tsv")

    assert seen(MultipleChoice().read(path)) == [("a", ("b", "c", "d"), 2)]


def test_columns_can_be_named(file):
    path = file("a|x,b,c,0\n", "a.csv")
    task = MultipleChoice(
        text_column="0", ending_columns=("2", "1"), label_column="3", header=False
    )

    assert seen(task.read(path)) == [("a|x", ("c", "b"), 0)]


def test_without_gold_no_label_is_looked_for(file):
    swag = SWAG.replace(",label", "").replace(",3\n", "\n")

    assert MultipleChoice().read(file(swag, "test.csv"), gold=False)[0].label is None


BAD = {
    "empty": ("a.tsv", "", {}, r"a\.tsv: holds nothing to read as tsv"),
    "unknown": (
        "a.csv",
        "question,a,b\n1,2,3\n",
        {},
        r"begins 'question,a,b'; expected the columns prompt, .*--ending-columns",
    ),
    "empty json": ("a.jsonl", "", {}, r"holds nothing to read as jsonl"),
    "no key": (
        "a.jsonl",
        '{"prompt": "a", "label": 0}',
        {},
        r"line 1: no key 'endings'",
    ),
    "no column": (
        "a.csv",
        "text,x,label\na,b,0\n",
        {"text_column": "text", "ending_columns": ("x", "z")},
        r"ending_columns='z': no such column; expected one of 'text', 'x', 'label'",
    ),
    "one ending": (
        "a.jsonl",
        '{"prompt": "a", "endings": ["b"], "label": 0}',
        {},
        r"line 1: 1 endings; expected at least two",
    ),
    "label too high": (
        "a.jsonl",
        '{"prompt": "a", "endings": ["b", "c"], "label": 2}',
        {},
        r"line 1: label '2'; expected a number from 0 to 1",
    ),
    "no number": (
        "a.jsonl",
        '{"prompt": "a", "endings": ["b", "c"], "label": "c"}',
        {},
        r"line 1: label 'c'; expected a number from 0 to 1",
    ),
    "a cell too many": (
        "a.tsv",
        CODAH + "n\tb\tc\td\te\ta\tx\t0\n",
        {},
        r"line 3: 8 columns; expected 7",
    ),
    "words": (
        "a.jsonl",
        '{"prompt": ["a"], "endings": ["b", "c"], "label": 0}',
        {},
        r"line 1: the prompt is a list of words; expected one string",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gives_one_line_with_the_place_and_the_value(case, file):
    name, content, options, message = BAD[case]
    path = file(content, name)
    with pytest.raises(KbertError, match=message) as caught:
        MultipleChoice(**options).read(path)

    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(path)


def test_what_can_be_read_only_once_is_not_guessed_at(tmp_path):
    with pytest.raises(InputError, match="standard input: can be read only once"):
        MultipleChoice(format="tsv").read("-")
    os.mkfifo(tmp_path / "pipe.tsv")
    with pytest.raises(InputError, match=r"pipe\.tsv: can be read only once; expected"):
        MultipleChoice().read(str(tmp_path / "pipe.tsv"))


def test_a_prompt_without_endings_is_an_error():
    with pytest.raises(ConfigError, match=r"text_column='a' with ending_columns=\(\)"):
        MultipleChoice(text_column="a")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text_pair_column": "b"}, "text_pair_column='b' without text_column and end"),
        ({"uneven_rows": "cut"}, "uneven_rows='cut' without text_column and ending"),
    ],
)
def test_files_that_are_known_need_no_other_columns(options, message):
    with pytest.raises(ConfigError, match=message):
        MultipleChoice(**options)

    named = {"text_column": "0", "ending_columns": ("1", "2")}
    assert MultipleChoice(**options, **named).text_column == "0"


def test_every_ending_is_a_row_behind_its_prompt(file, tokenizer):
    task = MultipleChoice()
    examples = task.read(file(LINES))
    rows = task.fitted(examples).rows(examples, tokenizer, max_length=9, training=True)

    assert [rows.inputs["token_ids"][row].tolist() for row in range(4)] == [
        [2, 5, 3, 6, 3],
        [2, 5, 3, 7, 3],
        [2, 6, 7, 3, 8, 3],
        [2, 6, 7, 3, 3],
    ]
    assert rows.inputs["segment_ids"][0].tolist() == [0, 0, 0, 1, 1]
    assert rows.targets["multiple_choice"].values.tolist() == [1, 0]
    assert rows.weights["multiple_choice"].values.tolist() == [1, 1]
    assert rows.examples.tolist() == [0, 0, 1, 1]
    assert rows.choices == 2


def test_rows_that_are_cut_are_counted(file, tokenizer):
    task = MultipleChoice()
    examples = task.read(file(LINES))
    with pytest.warns(KbertWarning, match=r"1 of 4 texts are longer than 5 .*last 1 "):
        task.rows(examples, tokenizer, max_length=5, training=False)


def test_all_questions_have_as_many_endings(file, tokenizer):
    task = MultipleChoice()
    more = '{"prompt": "a", "endings": ["b", "c", "d"], "label": 1}\n'
    examples = task.read(file(LINES + more))
    with pytest.raises(InputError, match=r"line 3: 3 endings; expected 2, as in line"):
        task.rows(examples, tokenizer, max_length=9, training=False)


def test_the_guess_is_the_ending_of_the_highest_score(file, tmp_path):
    task = MultipleChoice()
    examples = task.read(file(LINES))
    outputs = [np.array(row, np.float32) for row in ([0, np.log(3)], [0, np.log(4)])]
    guesses = task.guesses(examples, None, outputs, None)
    task.write(tmp_path / "out.tsv", examples, guesses)

    assert task.score(examples, guesses) == {"accuracy": 0.5}
    assert (tmp_path / "out.tsv").read_text() == (
        "line\tgold\tlabel\tprobability:0\tprobability:1\n"
        "1\t1\t1\t0.25\t0.75\n"
        "2\t0\t1\t0.2\t0.8\n"
    )


def test_the_options_come_back_from_json():
    task = MultipleChoice(text_column="q", ending_columns=("a", "b"), id_column="n")
    fields = json.loads(json.dumps(task.to_dict()))

    assert MultipleChoice.from_dict(fields, ()) == task
