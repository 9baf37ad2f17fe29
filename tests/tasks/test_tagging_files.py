"""kbert/tasks/tagging/files.py, and the figures of task.py"""

import json

import pytest

from kbert.errors import KbertWarning
from kbert.readers import Item, ReaderOptions, read_items
from kbert.tasks.tagging import Tagging

TASK = Tagging(labels=("O", "B-X", "I-X", "B-Y", "I-Y"), scheme="iob2")
# By hand: X 0:2 right; Y guessed longer than it is, and the first word tagged right.
SENTENCES = [
    Item("a", 1, 0, words=("New", "York", "is"), tags=("B-X", "I-X", "O")),
    Item("a", 5, 0, words=("in", "it"), tags=("B-Y", "O")),
]
GUESSES = [("B-X", "I-X", "O"), ("B-Y", "I-Y")]


def blind(words):
    return Item("a", 1, 0, words=words)


def test_columns_hold_word_gold_and_guess(tmp_path):
    TASK.write(tmp_path / "out.conll", SENTENCES, GUESSES)

    assert (tmp_path / "out.conll").read_text("utf-8") == (
        "New B-X B-X\nYork I-X I-X\nis O O\n\nin B-Y B-Y\nit O I-Y\n\n"
    )


def test_without_gold_there_are_two_columns(tmp_path):
    TASK.write(
        tmp_path / "out.txt", [blind(("it",)), SENTENCES[0]], [("O",), GUESSES[0]]
    )

    assert (tmp_path / "out.txt").read_text("utf-8").splitlines()[0] == "it O"


def test_a_folder_gets_a_file_of_columns(tmp_path):
    TASK.write(tmp_path, SENTENCES, GUESSES)
    TASK.write(tmp_path / "new", SENTENCES, GUESSES)

    for folder in (tmp_path, tmp_path / "new"):
        assert (
            (folder / "predictions.conll").read_text("utf-8").startswith("New B-X B-X")
        )


@pytest.mark.parametrize("word", ["a b", "", " "])
def test_words_with_blanks_stand_between_tabs_and_are_read_again(tmp_path, word):
    TASK.write(tmp_path / "out.conll", [blind((word, "it"))], [("B-X", "O")])
    (item,) = read_items([str(tmp_path / "out.conll")], ReaderOptions())

    assert (item.words, item.tags) == ((word, "it"), ("B-X", "O"))


@pytest.mark.parametrize(
    ("word", "written"), [("a\tb", "a␉b"), ("\n", "␊"), ("\r\n", "␍␊"), ("\n ", "␊ ")]
)
def test_a_picture_stands_in_a_column_for_what_would_end_it(tmp_path, word, written):
    sentences, guesses = [blind((word, "it")), blind(("is",))], [("B-X", "O"), ("O",)]
    for folder in ("new", "."):
        with pytest.warns(
            KbertWarning, match=r"^predictions\.conll: 1 of 3 words hold a tab or a li"
        ):
            TASK.write(tmp_path / folder, sentences, guesses)
    TASK.write(tmp_path / "out.jsonl", sentences, guesses)
    columns = list(read_items([str(tmp_path / "new" / "predictions.conll")]))
    lines = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()

    assert [item.words for item in columns] == [(written, "it"), ("is",)]
    assert [item.tags for item in columns] == guesses
    assert json.loads(lines[0])["words"] == [word, "it"]


def test_tags_with_blanks_stand_between_tabs_and_are_read_again(tmp_path):
    labels = ("O", "B-work of art", "I-work of art")
    task = Tagging(labels=labels, scheme="iob2")
    task.write(tmp_path / "blind.conll", [blind(("Big", "Fish"))], [labels[1:]])
    gold = [Item("a", 1, 0, words=("Big", "Fish"), tags=labels[1:])]
    task.write(tmp_path / "gold.conll", gold, [("O", "O")])
    (guessed,) = read_items([str(tmp_path / "blind.conll")])
    options = ReaderOptions(format="conll", tag_column=1)
    (right,) = read_items([str(tmp_path / "gold.conll")], options)

    assert (guessed.words, guessed.tags) == (("Big", "Fish"), labels[1:])
    assert (right.words, right.tags) == (("Big", "Fish"), labels[1:])


def test_json_lines_hold_tags_and_the_words_of_entities(tmp_path):
    TASK.write(tmp_path / "out.jsonl", SENTENCES, GUESSES)
    lines = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()

    assert [json.loads(line) for line in lines] == [
        {
            "words": ["New", "York", "is"],
            "tags": ["B-X", "I-X", "O"],
            "entities": [{"type": "X", "start": 0, "end": 2}],
            "gold": ["B-X", "I-X", "O"],
        },
        {
            "words": ["in", "it"],
            "tags": ["B-Y", "I-Y"],
            "entities": [{"type": "Y", "start": 0, "end": 2}],
            "gold": ["B-Y", "O"],
        },
    ]
    items = list(read_items([str(tmp_path / "out.jsonl")]))
    assert [item.tags for item in items] == GUESSES


def test_figures_are_those_of_entities():
    assert TASK.score(SENTENCES, GUESSES) == {
        "X_f1": 1.0,
        "Y_f1": 0.0,
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "strict_f1": 0.5,
        "accuracy": 0.8,
    }


def test_strict_and_lenient_differ_where_the_scheme_is_broken():
    figures = TASK.score(SENTENCES, [("I-X", "I-X", "O"), ("B-Y", "O")])

    assert (figures["f1"], round(figures["strict_f1"], 3)) == (1.0, 0.667)


def test_reports_are_those_of_conlleval_and_all_counts(tmp_path):
    TASK.report(tmp_path, SENTENCES, GUESSES)
    figures = json.loads((tmp_path / "entities.json").read_text("utf-8"))

    assert (tmp_path / "conlleval.txt").read_text("utf-8").splitlines()[:2] == [
        "processed 5 tokens with 2 phrases; found: 2 phrases; correct: 1.",
        "accuracy:  80.00%; precision:  50.00%; recall:  50.00%; FB1:  50.00",
    ]
    assert (figures["words"], figures["accuracy"]) == (5, 0.8)
    right = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "gold": 1, "guessed": 1}
    for mode in ("conlleval", "strict"):
        assert figures[mode]["types"]["X"] == {**right, "correct": 1}
        assert figures[mode]["overall"]["gold"] == 2


def test_tags_have_the_report_of_classes(tmp_path):
    TASK.report(tmp_path, SENTENCES, GUESSES)

    assert (tmp_path / "classes.tsv").read_text("utf-8").splitlines()[1:3] == [
        "O\t1\t0.5\t0.666667\t2",
        "B-X\t1\t1\t1\t1",
    ]
