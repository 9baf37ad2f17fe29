"""kbert/tasks/glue.py"""

import numpy as np
import pytest

from kbert.errors import ConfigError, InputError
from kbert.tasks.classification import Classification
from kbert.tasks.glue import GLUE_LABELS, read_glue, submission_name
from kbert.tasks.regression import Regression

_MNLI = [
    *("index", "promptID", "pairID", "genre"),
    *("sentence1_binary_parse", "sentence2_binary_parse"),
    *("sentence1_parse", "sentence2_parse", "sentence1", "sentence2"),
]
_STS = ["index", "genre", "filename", "year", "old_index", "source1", "source2"]
_STS += ["sentence1", "sentence2"]
# The files that GLUE gives out: header, one row, and what has to be read of it.
# fmt: off
FILES = {
    "CoLA/train.tsv": (None, ["gj04", "0", "*", '"a'], ('"a', None, "0", None)),
    "CoLA/test.tsv": (["index", "sentence"], ["7", 'a"'], ('a"', None, None, "7")),
    "SST-2/dev.tsv": (["sentence", "label"], ["a ", "1"], ("a ", None, "1", None)),
    "SST-2/test.tsv": (["index", "sentence"], ["0", "a"], ("a", None, None, "0")),
    "MRPC/train.tsv": (
        ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"],
        ["1", "70", "71", "a", '"b'],
        ("a", '"b', "1", None),
    ),
    "MRPC/test.tsv": (
        ["index", "#1 ID", "#2 ID", "#1 String", "#2 String"],
        ["3", "70", "71", "a", "b"],
        ("a", "b", None, "3"),
    ),
    "STS-B/train.tsv": (
        [*_STS, "score"],
        ["5", "g", "f", "2012", "1", "s", "t", "a", "b", "2.750"],
        ("a", "b", 2.75, "5"),
    ),
    "STS-B/test.tsv": (
        _STS, ["5", "g", "f", "2012", "1", "s", "t", "a", "b"], ("a", "b", None, "5")
    ),
    "QQP/train.tsv": (
        ["id", "qid1", "qid2", "question1", "question2", "is_duplicate"],
        ["9", "1", "2", "a", "b", "0"],
        ("a", "b", "0", "9"),
    ),
    "QQP/test.tsv": (
        ["id", "question1", "question2"], ["9", "a", "b"], ("a", "b", None, "9")
    ),
    "MNLI/train.tsv": (
        [*_MNLI, "label1", "gold_label"],
        ["0", *"123456", "7", "a", "b", "entailment", "neutral"],
        ("a", "b", "neutral", "0"),
    ),
    "MNLI/dev_mismatched.tsv": (
        [*_MNLI, *(f"label{one}" for one in range(1, 6)), "gold_label"],
        ["4", *"123456", "7", "a", "b", *"neecn", "contradiction"],
        ("a", "b", "contradiction", "4"),
    ),
    "MNLI/test_matched.tsv": (
        _MNLI, ["4", *"123456", "7", "a", "b"], ("a", "b", None, "4")
    ),
    "QNLI/dev.tsv": (
        ["index", "question", "sentence", "label"],
        ["0", "a", "b", "not_entailment"],
        ("a", "b", "not_entailment", "0"),
    ),
    "QNLI/test.tsv": (
        ["index", "question", "sentence"], ["0", "a", "b"], ("a", "b", None, "0")
    ),
    "RTE/dev.tsv": (
        ["index", "sentence1", "sentence2", "label"],
        ["0", "a", "b", "entailment"],
        ("a", "b", "entailment", "0"),
    ),
    "WNLI/test.tsv": (
        ["index", "sentence1", "sentence2"], ["0", "a", "b"], ("a", "b", None, "0")
    ),
}
# fmt: on


def task_of(name, **options):
    kind = Regression if name == "STS-B" else Classification
    return kind(glue=name, **options)


@pytest.fixture
def file(tmp_path):
    def write(name, *lines):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        rows = ["\t".join(line) for line in lines if line is not None]
        path.write_text("\ufeff" + "\r\n".join(rows) + "\n", "utf-8")
        return str(path)

    return write


@pytest.mark.parametrize("name", FILES)
def test_each_official_file_is_read(name, file):
    header, row, expected = FILES[name]
    gold = expected[2] is not None
    (example,) = task_of(name.split("/")[0]).read(file(name, header, row), gold=gold)

    assert (example.text, example.text_pair, example.label, example.id) == expected


def test_a_test_file_has_no_labels_to_score_against(file):
    path = file("RTE/test.tsv", *FILES["WNLI/test.tsv"][:2])
    with pytest.raises(
        InputError, match=r"test\.tsv: no column 'label': a test file of RTE; expected"
    ):
        task_of("RTE").read(path)


def test_labels_are_not_read_where_they_are_not_wanted(file):
    header, row, _ = FILES["RTE/dev.tsv"]

    assert read_glue(file("dev.tsv", header, row), "RTE", gold=False)[0].label is None


def test_a_question_that_holds_a_line_end_stays_whole(file):
    header, row, _ = FILES["QQP/train.tsv"]
    broken = [
        [
            "1",
            "2",
            "3",
            '"Was he',
        ],
        ['"', "b", "1"],
    ]
    examples = task_of("QQP").read(file("train.tsv", header, row, *broken, row))

    assert [(one.line, one.text, one.label) for one in examples] == [
        (2, "a", "0"),
        (3, '"Was he\n"', "1"),
        (5, "a", "0"),
    ]


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        (
            "CoLA",
            [["text", "y"]],
            r"line 1: no file of CoLA: .* text, y; expected se",
        ),
        ("CoLA", [["a", "b", "c", "d"]], r"line 1: no file of CoLA"),
        (
            "MRPC",
            FILES["RTE/dev.tsv"][:2],
            r"expected #1 String and #2 String\. A f",
        ),
        ("STS-B", [list("abcdefg")], r"line 1: no file of STS-B"),
        ("SST-2", [], r"SST-2\.tsv: is empty|line 1: no file of SST-2"),
        ("SST-2", [["sentence", "label"]], r"holds nothing to read as tsv"),
        ("SST-2", [["sentence", "label"], ["a"]], r"line 2: 1 columns; expected 2"),
    ],
)
def test_a_file_of_another_shape_is_an_error(name, lines, message, file):
    with pytest.raises(InputError, match=message):
        task_of(name).read(file(f"{name}.tsv", *lines))


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "dev.tsv").touch()
    with pytest.raises(
        InputError, match=r"dev\.tsv: is empty; expected a file of GLUE"
    ):
        task_of("RTE").read(str(tmp_path / "dev.tsv"))


def test_a_label_that_the_task_does_not_have_is_named(file):
    header, row, _ = FILES["RTE/dev.tsv"]
    other = [*row[:3], "neutral"]
    task = task_of("RTE")
    examples = task.read(file("dev.tsv", header, row, other))
    with pytest.raises(
        InputError,
        match=r"line 3: unknown label 'neutral'; expected one of those of GLUE: ent",
    ):
        task.fitted(examples)


def test_the_labels_of_a_task_are_in_a_fixed_order(file):
    header, row, _ = FILES["MNLI/train.tsv"]
    task = task_of("MNLI")
    examples = task.read(file("a.tsv", header, row, [*row[:-1], "entailment"]))

    assert task.fitted(examples).labels == ("entailment", "neutral", "contradiction")


def test_tables_of_another_shape_are_read_by_their_columns(file):
    path = file("test.labelled.tsv", ["label", "content"], ["1", "a"])
    (example,) = task_of("SST-2", text_column="content").read(path)

    assert (example.text, example.label) == ("a", "1")


@pytest.mark.parametrize("name", ["SST-2", "STS-B"])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("text_pair_column", "b"),
        ("label_column", "c"),
        ("id_column", "d"),
        ("uneven_rows", "cut"),
        ("format", "tsv"),
    ],
)
def test_official_files_say_themselves_what_they_hold(name, option, value):
    message = f"{option}={value!r} with glue='{name}', whose own files say it; expected"
    with pytest.raises(ConfigError, match=message):
        task_of(name, **{option: value})

    other = task_of(name, text_column="a", **{option: value})
    assert getattr(other, option) == value


def test_a_file_without_a_header_may_be_called_so(file):
    _, row, expected = FILES["CoLA/train.tsv"]

    (example,) = task_of("CoLA", header=False).read(file("train.tsv", None, row))

    assert (example.text, example.label) == (expected[0], expected[2])


def test_lines_are_read_as_texts_if_they_are_asked_for(file):
    path = file("lines.txt", ["sentence"], ["a b"])
    examples = task_of("SST-2", format="lines").read(path, gold=False)

    assert [one.text for one in examples] == ["sentence", "a b"]


# === Figures ===


@pytest.mark.parametrize(
    ("name", "figures", "main"),
    [
        ("CoLA", {"matthews": 1 / 6}, "matthews"),
        ("QQP", {"f1": 2 / 3, "accuracy": 3 / 5}, "f1"),
        ("QNLI", {"accuracy": 3 / 5}, "accuracy"),
    ],
)
def test_a_task_has_the_figures_of_the_leaderboard(name, figures, main, file):
    labels = GLUE_LABELS[name]
    task = task_of(name, labels=labels, text_column="text")
    rows = [["a", labels[one]] for one in (1, 1, 1, 0, 0)]
    examples = task.read(file("a.tsv", ["text", "label"], *rows))
    outputs = [np.eye(2, dtype="float32")[one] for one in (1, 1, 0, 1, 0)]
    guesses = task.guesses(examples, None, outputs, None)

    assert task.score(examples, guesses) == pytest.approx(figures)
    assert task.main_figure == main


def test_the_sets_of_mnli_are_scored_alone_and_together(file):
    header, row, _ = FILES["MNLI/train.tsv"]  # neutral
    task = task_of("MNLI", labels=GLUE_LABELS["MNLI"])
    matched = task.read(file("dev_matched.tsv", header, row, row))
    other = task.read(file("dev_mismatched.tsv", header, row))
    outputs = [np.eye(3, dtype="float32")[one] for one in (1, 0, 1)]
    guesses = task.guesses([*matched, *other], None, outputs, None)

    assert task.score([*matched, *other], guesses) == pytest.approx(
        {"accuracy": 2 / 3, "accuracy_matched": 1 / 2, "accuracy_mismatched": 1}
    )
    assert "accuracy_mismatched" not in task.score(matched, guesses[:2])


# === Submissions ===


@pytest.mark.parametrize(
    ("task", "source", "name"),
    [
        ("CoLA", "x/test.tsv", "CoLA.tsv"),
        ("STS-B", "test.tsv", "STS-B.tsv"),
        ("MNLI", "mismatched/test_matched.tsv", "MNLI-m.tsv"),
        ("MNLI", "test_mismatched.tsv", "MNLI-mm.tsv"),
        ("MNLI", "AX/diagnostic.tsv", "AX.tsv"),
    ],
)
def test_submissions_have_the_names_that_the_server_wants(task, source, name):
    assert submission_name(task, source) == name


def test_a_test_file_is_answered_with_index_and_prediction(file, tmp_path):
    header, row, _ = FILES["QNLI/test.tsv"]
    task = task_of("QNLI", labels=GLUE_LABELS["QNLI"])
    path = file("test.tsv", header, row, ["1", *row[1:]])
    examples = task.read(path, gold=False)
    outputs = [np.array(one, np.float32) for one in ([0, 1], [1, 0])]
    task.write(tmp_path, examples, task.guesses(examples, None, outputs, None))

    assert (tmp_path / "QNLI.tsv").read_bytes() == (
        b"index\tprediction\n0\tnot_entailment\n1\tentailment\n"
    )
    assert (tmp_path / "predictions.tsv").is_file()


def test_scores_are_put_into_their_range(file, tmp_path):
    header, row, _ = FILES["STS-B/test.tsv"]
    task = task_of("STS-B")
    examples = task.read(file("test.tsv", header, row, row, row), gold=False)
    task.write(tmp_path / "out", examples, [5.2, -0.1, 2.71828])

    assert (tmp_path / "out" / "STS-B.tsv").read_text() == (
        "index\tprediction\n5\t5.0000\n5\t0.0000\n5\t2.7183\n"
    )


def test_guesses_of_labelled_files_are_no_submission(file, tmp_path):
    header, row, _ = FILES["QNLI/dev.tsv"]
    task = task_of("QNLI", labels=GLUE_LABELS["QNLI"])
    examples = task.read(file("dev.tsv", header, row))
    guesses = task.guesses(examples, None, [np.zeros(2, np.float32)], None)
    task.write(tmp_path / "out", examples, guesses)

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions.tsv"]


def test_rows_without_an_index_are_numbered(file, tmp_path):
    task = task_of("CoLA", labels=("0", "1"))
    path = file("dev.tsv", *[FILES["CoLA/train.tsv"][1]] * 2)
    examples = task.read(path, gold=False)
    guesses = task.guesses(examples, None, np.eye(2, dtype="float32"), None)
    task.write(tmp_path, examples, guesses)

    assert (tmp_path / "CoLA.tsv").read_text() == "index\tprediction\n0\t0\n1\t1\n"
