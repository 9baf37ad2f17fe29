"""kbert/finetuning/reading.py"""

import types

import pytest

from kbert.errors import ConfigError, InputError, KbertWarning
from kbert.finetuning.reading import that_apply, told_by_file, with_options
from kbert.tasks.choice import MultipleChoice
from kbert.tasks.classification import Classification
from kbert.tasks.regression import Regression
from kbert.tasks.squad import QuestionAnswering
from kbert.tasks.tagging import Tagging

# All that a table can be read by.
TABLE = {
    "text_column": "0",
    "text_pair_column": "1",
    "label_column": "2",
    "id_column": "3",
    "header": False,
    "uneven_rows": "cut",
}
NONE = {
    "text_column": None,
    "text_pair_column": None,
    "label_column": None,
    "id_column": None,
    "header": True,
    "uneven_rows": "refuse",
}


@pytest.mark.parametrize("kind", [Classification, Regression])
@pytest.mark.parametrize("glue", [False, True])
def test_lines_have_no_columns(kind, glue):
    name = "STS-B" if kind is Regression else "MRPC"
    task = kind(**TABLE, glue=name if glue else None)
    for file, reading in (
        ("a.txt", {}),
        ("-", {}),
        ("a.tsv", {"format": "lines"}),
        ("a.unknown", {"format": "lines"}),
    ):
        with pytest.warns(KbertWarning, match="one text each; .* trained on pairs"):
            told = that_apply(task, reading, file, gold=False)

        assert told == {**NONE, "format": "lines"}
        assert with_options(task, told).glue == task.glue


def test_tables_are_read_as_in_training():
    for file in ("a.tsv", "a.csv.gz"):
        assert that_apply(Classification(**TABLE), {}, file, gold=True) == {}
    stored = Classification(**TABLE, format="csv")
    assert that_apply(stored, {}, "a.txt", gold=False) == {}


def test_objects_have_keys_but_no_first_line():
    told = that_apply(Classification(**TABLE), {}, "a.jsonl", gold=True)

    assert told == {"format": "jsonl", "header": True, "uneven_rows": "refuse"}


def test_objects_are_known_by_their_ending_whatever_the_training_file_was():
    task = Classification(format="tsv", text_column="review")

    for file in ("a.jsonl", "a.jsonl.gz"):
        assert that_apply(task, {}, file, gold=False) == {"format": "jsonl"}
    assert that_apply(task, {"format": "tsv"}, "a.jsonl", gold=False) == {
        "format": "tsv"
    }
    assert that_apply(QuestionAnswering(), {}, "a.jsonl", gold=False) == {}


def test_choices_of_named_columns_may_come_from_json_lines():
    task = MultipleChoice(**TABLE, ending_columns=("4", "5"))
    told = that_apply(task, {"text_column": "a"}, "a.jsonl", gold=True)

    assert with_options(task, told).ending_columns == ("4", "5")
    assert with_options(task, told).text_column == "a"
    assert with_options(task, told).header is True


def test_official_files_are_read_whatever_their_ending():
    for file in ("msr_paraphrase_test.txt", "dev.data", "-"):
        assert that_apply(Classification(glue="MRPC"), {}, file, gold=False) == {}


def test_what_the_user_says_always_holds():
    reading = {"text_column": "x", "header": False}
    with pytest.warns(KbertWarning, match="trained on pairs"):
        told = that_apply(Classification(**TABLE), reading, "a.txt", gold=False)

    assert told == {**NONE, "format": "lines", **reading}


@pytest.fixture
def conll(tmp_path):
    """Words only, and words with three more columns."""
    (tmp_path / "words.conll").write_text("\n-DOCSTART- -X- -X- O\n\nEU\nrejects\n")
    (tmp_path / "tags.conll").write_text("EU NNP B-NP B-ORG\n")
    return tmp_path


def test_words_to_be_tagged_need_no_column_of_tags(conll):
    task = Tagging(tag_column=3)
    words = conll / "words.conll"
    told = {"format": "conll", "tag_column": None}

    assert that_apply(task, {}, words, gold=False) == told
    assert that_apply(task, {}, "-", gold=False) == told  # it is read only once
    assert that_apply(task, {}, conll / "tags.conll", gold=False) == {}
    assert that_apply(task, {}, words, gold=True) == {}
    assert that_apply(Tagging(), {}, words, gold=False) == {}
    (sentence,) = with_options(task, told).read(str(words), gold=False)
    assert sentence.words == ("EU", "rejects")


@pytest.mark.parametrize("word, tag", [(1, 0), (1, None), (2, 3)])
def test_the_only_column_holds_the_words_to_be_tagged(conll, word, tag):
    task = Tagging(word_column=word, tag_column=tag)
    words = conll / "words.conll"

    task = with_options(task, that_apply(task, {}, words, gold=False))
    (sentence,) = task.read(str(words), gold=False)
    assert sentence.words == ("EU", "rejects")
    assert sentence.tags is None


def test_a_column_of_words_that_the_user_names_has_to_be_there(conll):
    words, reading = conll / "words.conll", {"word_column": 1}
    task = Tagging(word_column=1, tag_column=0)
    task = with_options(task, that_apply(task, reading, words, gold=False))
    with pytest.raises(ConfigError, match="word_column=1 in a file of 1 columns"):
        task.read(str(words), gold=False)


def test_a_column_of_tags_that_the_user_names_has_to_be_there(conll):
    words, reading = conll / "words.conll", {"tag_column": 2}
    task = Tagging(tag_column=3)
    task = with_options(task, that_apply(task, reading, words, gold=False))
    with pytest.raises(ConfigError, match="tag_column=2 in a file of 1 columns"):
        task.read(str(words), gold=False)


def test_a_tagger_of_columns_reads_lines_and_objects(tmp_path):
    task = Tagging(word_column=1, tag_column=3)
    nothing = {"word_column": 0, "tag_column": None}

    assert that_apply(task, {"format": "lines"}, "a.txt", gold=False) == {
        "format": "lines",
        **nothing,
    }
    told = that_apply(task, {}, "a.jsonl", gold=True)
    assert told == {"format": "jsonl", **nothing}


def test_a_tagger_of_objects_reads_columns():
    task = Tagging(text_column="words", document_column="page")
    told = that_apply(task, {}, "eng.testb", gold=True)

    assert told == {"format": "conll", "text_column": None, "document_column": None}


def test_a_task_without_a_format_is_left_alone():
    task = QuestionAnswering()

    assert that_apply(task, {"n_best": 3}, "dev.json", gold=True) == {"n_best": 3}


def test_a_file_of_tags_that_is_not_there_is_named_by_its_reader(tmp_path):
    task = Tagging(tag_column=3)
    path = tmp_path / "none.conll"
    task = with_options(task, that_apply(task, {}, path, gold=False))
    with pytest.raises(InputError, match="none.conll: cannot be read"):
        task.read(str(path), gold=False)


# === What the file tells ===


def questions(*answers):
    return [types.SimpleNamespace(answers=one) for one in answers]


@pytest.mark.parametrize(
    ("version_2", "answers", "told"),
    [
        (None, [("a",), ()], True),
        (None, [("a",), ("b",)], False),
        (None, [None, None], False),
        (False, [()], False),
        (True, [("a",)], True),
    ],
)
def test_a_file_tells_whether_a_question_may_have_no_answer(version_2, answers, told):
    task = told_by_file(QuestionAnswering(version_2=version_2), questions(*answers))

    assert task == QuestionAnswering(version_2=told)


def test_a_file_tells_other_tasks_nothing():
    assert told_by_file(Tagging(), []) == Tagging()
