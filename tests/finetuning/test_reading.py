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


@pytest.fixture
def rows(tmp_path):
    """JSON Lines of texts under one of the usual names, or under others."""
    (tmp_path / "one.jsonl").write_text('{"id": 3, "sentence": "a", "label": 1}\n')
    (tmp_path / "two.jsonl").write_text('{"text": "a", "other": "b", "label": 0}\n')
    return tmp_path


def test_objects_are_no_official_files(rows):
    task = Classification(glue="SST-2", labels=("0", "1"))
    for file, key, label in (("one", "sentence", "1"), ("two", "text", "0")):
        path = rows / f"{file}.jsonl"
        told = that_apply(task, {}, path, gold=True)

        assert told == {"format": "jsonl", "text_column": key}
        (example,) = with_options(task, told).read(str(path))
        assert (example.text, example.label) == ("a", label)


def test_what_the_user_says_of_objects_beside_glue_holds(rows):
    task, path = Classification(glue="SST-2"), rows / "one.jsonl"
    key, name = {"text_column": "id"}, {"id_column": "id", "format": "jsonl"}

    assert that_apply(task, key, path, gold=True) == key
    assert that_apply(task, name, path, gold=True) == {
        "text_column": "sentence",
        **name,
    }


def test_objects_of_other_keys_are_told_by_them(rows):
    path = rows / "other.jsonl"
    path.write_text('{"review": "a"}\n')
    with pytest.raises(InputError, match="other.jsonl, line 1: no key .* 'review'"):
        that_apply(Classification(glue="CoLA"), {}, path, gold=False)


@pytest.mark.parametrize("glue", ["MRPC", "STS-B"])
def test_objects_of_pairs_need_the_keys_of_both_texts(rows, glue):
    task = Regression(glue=glue) if glue == "STS-B" else Classification(glue=glue)
    path, pair = rows / "two.jsonl", {"text_pair_column": "other"}
    with pytest.raises(
        ConfigError, match=f"two.jsonl: the model was trained on the pairs of {glue}"
    ):
        that_apply(task, {}, path, gold=False)
    told = that_apply(task, pair, path, gold=False)

    assert told == {"format": "jsonl", "text_column": "text", **pair}
    (example,) = with_options(task, told).read(str(path), gold=False)
    assert (example.text, example.text_pair) == ("a", "b")


def test_lines_are_said_to_hold_one_text_of_the_pairs_of_glue():
    task, reading = Classification(glue="QNLI"), {"format": "lines"}
    with pytest.warns(KbertWarning, match="a.txt: lines hold one .* trained on pairs"):
        assert that_apply(task, reading, "a.txt", gold=False) == reading


def test_the_second_texts_of_pairs_are_not_left_out_without_a_word(rows):
    task, reading = Classification(glue="RTE"), {"text_column": "text"}
    with pytest.warns(KbertWarning, match="no --text-pair-column .* on pairs"):
        told = that_apply(task, reading, rows / "two.jsonl", gold=False)

    assert told == reading
    task = Classification(glue="RTE", text_column="text")  # not trained on pairs
    assert that_apply(task, {}, rows / "two.jsonl", gold=False) == {}


def test_a_file_of_ones_own_beside_glue_is_read_by_options_that_the_error_names(
    tmp_path,
):
    (tmp_path / "lines.txt").write_text("a b\n")
    task = Classification(glue="SST-2")
    task = with_options(task, that_apply(task, {}, "lines.txt", gold=False))
    with pytest.raises(InputError, match="no file of SST-2") as caught:
        task.read(str(tmp_path / "lines.txt"), gold=False)

    assert str(caught.value).endswith(
        "A file of your own is read by --text-column, or by --format lines if it holds "
        "a text a line (text_column, format in Python)."
    )


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


@pytest.mark.parametrize("file", ["words.conll", "tags.conll"])
def test_columns_may_be_numbered_as_those_of_tables(conll, file):
    task = Tagging(word_column=1, tag_column=3)
    reading = {"text_column": "0", "label_column": "1"}
    told = that_apply(task, reading, conll / file, gold=True)

    assert told == {"word_column": 0, "tag_column": 1}
    task = with_options(task, told)
    assert (task.text_column, task.label_column) == (None, None)


def test_numbers_may_name_keys_of_objects(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"0": ["EU"], "1": ["O"]}\n')
    reading = {"text_column": "0", "label_column": "1"}
    told = that_apply(Tagging(), reading, tmp_path / "a.jsonl", gold=True)

    assert told == reading
    (item,) = with_options(Tagging(), told).read(str(tmp_path / "a.jsonl"))
    assert (item.words, item.tags) == (("EU",), ("O",))


@pytest.fixture
def objects(tmp_path):
    """Words only, and words with tags, under the names of Hugging Face."""
    (tmp_path / "words.jsonl").write_text('{"tokens": ["EU"]}\n{"tokens": ["UN"]}\n')
    (tmp_path / "tags.jsonl").write_text('{"tokens": ["EU"], "ner_tags": ["B-ORG"]}\n')
    return tmp_path


def test_words_to_be_tagged_need_no_key_of_tags(objects):
    task = Tagging(label_column="ner_tags", labels=("O", "B-ORG"))
    words, tags = objects / "words.jsonl", objects / "tags.jsonl"
    told = that_apply(task, {}, words, gold=False)

    assert told == {"format": "jsonl", "label_column": None}
    first, second = with_options(task, told).read(str(words), gold=False)
    assert (first.words, second.words) == (("EU",), ("UN",))
    assert that_apply(task, {}, tags, gold=False) == {}
    (sentence,) = task.read(str(tags), gold=False)
    assert sentence.tags == ("B-ORG",)
    assert that_apply(task, {}, words, gold=True) == {}
    with pytest.raises(InputError, match="line 1: no key 'ner_tags' in the object"):
        task.read(str(words))


def test_a_key_of_tags_that_the_user_names_has_to_be_there(objects):
    words, reading = objects / "words.jsonl", {"label_column": "tags"}
    task = Tagging(label_column="ner_tags")
    task = with_options(task, that_apply(task, reading, words, gold=False))
    with pytest.raises(InputError, match="line 1: no key 'tags' in the object"):
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
    keys = ("text_column", "label_column", "document_column")
    task = Tagging(**dict(zip(keys, ("words", "ner", "page"), strict=True)))
    told = that_apply(task, {}, "eng.testb", gold=True)

    assert told == {"format": "conll", **dict.fromkeys(keys)}


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
