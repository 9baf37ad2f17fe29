"""kbert/tasks/tagging/task.py, sentences.py: reading, and what is wrong with a file"""

import dataclasses

import pytest

from kbert.errors import ConfigError, InputError, KbertWarning
from kbert.tasks import task_class
from kbert.tasks.tagging import Tagging

IOB2 = "the O\ndog B-PER\ncat I-PER\n\non O\nmat B-LOC\n"
LABELS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


@pytest.fixture
def file(file):
    return lambda content, name="a.conll": file(content, name)


@pytest.fixture
def fitted(file):
    task = Tagging()
    return task.fitted(task.read(file(IOB2, "train.conll")))


# === Reading ===


@pytest.mark.parametrize("name", ["train.txt", "a.train", "a.conll", "a"])
def test_any_ending_but_jsonl_is_read_as_columns(file, name):
    first, second = Tagging().read(file(IOB2, name))

    assert (first.words, first.tags) == (("the", "dog", "cat"), ("O", "B-PER", "I-PER"))
    assert (second.words, second.line) == (("on", "mat"), 5)


def test_json_lines_hold_lists_of_words_and_tags(file):
    path = file(
        '{"id": 1, "tokens": ["dog", "sat"], "tags": ["B-PER", "O"]}\n', "a.jsonl"
    )
    (item,) = Tagging().read(path)

    assert (item.words, item.tags) == (("dog", "sat"), ("B-PER", "O"))


def test_json_lines_may_name_their_documents(file):
    lines = [f'{{"words": ["dog"], "tags": ["O"], "of": "{of}"}}' for of in "aab"]
    items = Tagging(document_column="of").read(file("\n".join(lines), "a.jsonl"))

    assert [item.document for item in items] == [0, 0, 1]


def test_columns_are_chosen_by_number(file):
    path = file("1 dog NN B-PER\n2 sat VBD O\n")
    (item,) = Tagging(word_column=1, tag_column=2).read(path)

    assert (item.words, item.tags) == (("dog", "sat"), ("NN", "VBD"))


def test_digits_behind_characters_are_dropped_if_asked(file):
    path = file("中0\tO\n国10\tO\n20\tO\n7\tO\n")

    assert Tagging().read(path)[0].words == ("中0", "国10", "20", "7")
    (item,) = Tagging(strip_word_digits=True).read(path)
    assert item.words == ("中", "国", "2", "7")


def test_a_file_to_predict_needs_no_tags(file):
    assert Tagging().read(file("dog\nsat\n"), gold=False)[0].tags is None
    path = file("the dog sat\n", "a.txt")
    (item,) = Tagging(format="lines").read(path, gold=False)
    assert (item.words, item.text) == (("the", "dog", "sat"), None)


def test_a_last_column_that_holds_other_things_is_not_taken_for_tags(file, fitted):
    with pytest.warns(KbertWarning, match="line 1 .dog.; .NN. and the like are"):
        (item,) = fitted.read(file("dog NN\nsat VBD\n"), gold=False)

    assert item.tags is None
    assert fitted.read(file(IOB2), gold=False)[0].tags == ("O", "B-PER", "I-PER")


def test_a_context_of_sentences_without_documents_is_said_to_be_none(file):
    path = file('{"words": ["a"], "page": 1}\n', "a.jsonl")
    task = Tagging(context="document", text_column="words")

    with pytest.warns(KbertWarning, match=r"a.jsonl: every .* --document-column"):
        task.read(path, gold=False)
    task = dataclasses.replace(task, document_column="page")
    assert len(task.read(path, gold=False)) == 1


def test_words_of_running_text_are_not_left_out_without_a_word(file, fitted):
    path = file("John Smith lives in Paris\n", "lines.txt")
    with pytest.warns(KbertWarning, match=r"lines.txt: one word .* --format lines"):
        fitted.read(path, gold=False)
    task = dataclasses.replace(fitted, format="lines")
    (item,) = task.read(path, gold=False)

    assert item.words == ("John", "Smith", "lives", "in", "Paris")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("dog\nsat\n", "a.txt", "line 1: has no tags; expected a column of tags"),
        ('{"words": ["a"]}\n', "a.jsonl", 'line 1: has no tags; expected "tags"'),
        ('{"text": "a b"}\n', "a.jsonl", "line 1: holds a text; expected a list of w"),
        ("dog\tO\nsat\t\n", "a.txt", "line 2: empty tag; expected a tag, or O"),
        (
            '{"words": ["a", "b"], "tags": ["O"]}\n',
            "a.jsonl",
            "line 1: 1 tags for 2 words; expected one tag a word",
        ),
        (
            '{"words": ["a", "b"], "tags": [0, 3]}\n',
            "a.jsonl",
            r"line 1: tags\[0\] is the number 0; expected a string",
        ),
        ("dog O\nsat\n", "a.txt", "line 2: 1 columns in 'sat'; expected 2"),
        ("\n\n", "a.txt", "holds nothing to read as conll"),
    ],
)
def test_tags_that_do_not_fit_the_words_are_refused(file, content, name, message):
    with pytest.raises(InputError, match=message) as caught:
        Tagging().read(file(content, name))

    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tags_that_do_not_fit_the_words_are_refused_without_gold_too(file, fitted):
    path = file('{"words": ["a", "b"], "tags": ["O"]}\n', "a.jsonl")

    with pytest.raises(InputError, match="line 1: 1 tags for 2 words"):
        fitted.read(path, gold=False)


# === Learning the labels ===


def test_a_task_learns_scheme_and_labels_from_the_training_file(fitted):
    assert (fitted.scheme, fitted.labels, fitted.units) == ("iob2", LABELS, 5)
    assert (fitted.loss, fitted.head) == ("cross_entropy", "token_classifier")
    assert Tagging(crf=True).loss == "crf"


def test_labels_that_are_given_stay(file):
    task = Tagging(labels=("B-PER", "I-PER", "B-LOC", "O"))

    assert task.fitted(task.read(file(IOB2))).labels == task.labels


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("dog O\nsat O\n", {}, "every tag is 'O'; expected at least two tags"),
        (
            "dog B-PER\nsat NN\n",
            {},
            "line 2: tag 'NN' beside 'B-PER'; expected the tag",
        ),
        ("dog O\nsat B-A\n", {"scheme": "bmes"}, None),
        (
            "dog O\n\nsat I-A\n",
            {"scheme": "bmes"},
            "line 3: tag 'I-A' in the scheme bmes; expected O, B-…, M-…, E-…, S-…",
        ),
        (
            IOB2,
            {"labels": ("O", "B-PER", "I-PER")},
            "line 6: unknown tag 'B-LOC'; expected one of those of the training data",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*break the scheme")
def test_nothing_is_learned_from_tags_that_do_not_fit(file, content, options, message):
    task = Tagging(**options)
    train = task.read(file(content))
    if message is None:
        assert task.fitted(train).scheme == "bmes"
        return
    with pytest.raises(InputError, match=message) as caught:
        task.fitted(train)

    assert "a.conll" in str(caught.value)


def test_an_unknown_tag_in_another_file_is_refused_with_its_line(file, fitted):
    dev = fitted.read(file("the O\n\ndog O\nsat B-ORG\n", "dev.txt"))

    with pytest.raises(
        InputError, match=r"dev.txt, line 4: unknown tag 'B-ORG'; expec"
    ):
        fitted.check(dev)
    path = file(
        '{"words": ["a"], "tags": ["O"]}\n{"words": ["a"], "tags": ["X"]}', "d.jsonl"
    )
    with pytest.raises(InputError, match=r"d.jsonl, line 2: unknown tag 'X'"):
        fitted.check(fitted.read(path))


def test_a_file_without_tags_cannot_be_checked_or_scored(file, fitted):
    sentences = fitted.read(file("\ndog\n"), gold=False)

    with pytest.raises(InputError, match="line 2: has no tags to score against"):
        fitted.check(sentences)
    with pytest.raises(InputError, match="has no tags to score against"):
        fitted.score(sentences, [["O"]])


def test_tags_that_break_the_scheme_are_counted_and_named(file, fitted):
    dev = fitted.read(file("the O\ndog I-PER\ncat I-LOC\n", "dev.txt"))

    with pytest.warns(
        KbertWarning, match=r"dev.txt: 2 tags .* iob2, .* 'I-PER' in line 2"
    ):
        fitted.check(dev)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": "page"}, "context='page'; expected one of none, document"),
        ({"scheme": "iob"}, "scheme='iob'; expected one of iob1, iob2, iobes"),
    ],
)
def test_options_that_are_none_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Tagging(**options)


# === Storing ===


def test_a_task_survives_being_stored(fitted):
    assert Tagging.from_dict(fitted.to_dict(), fitted.labels) == fitted
    assert "labels" not in fitted.to_dict()
    assert task_class("ner") is Tagging


@pytest.mark.parametrize(
    ("labels", "scheme"),
    [
        (LABELS, "iob2"),
        (("O", "I-PER"), "iob1"),
        (("O", "B-A", "I-A", "E-A", "S-A"), "iobes"),
        (("O", "B-A", "I-A", "L-A", "U-A"), "bilou"),
        (("NN", "VB"), "plain"),
    ],
)
def test_a_model_made_elsewhere_tells_its_scheme_by_its_labels(labels, scheme):
    assert Tagging.from_dict({}, labels).scheme == scheme


def test_a_task_that_knows_no_scheme_says_so(file):
    sentences = Tagging().read(file(IOB2))

    with pytest.raises(ConfigError, match="the task knows no scheme yet. Use the task"):
        Tagging().score(sentences, [["O"] * 3, ["O"] * 2])


def test_held_out_sentences_have_to_hold_an_entity(file, fitted):
    sentences = fitted.read(file("dog\tO\nsat\tO\n"))
    with pytest.raises(InputError, match="no word is of an entity, so f1 is the same"):
        fitted.check_dev(sentences)
    fitted.check_dev(fitted.read(file(IOB2)))


@pytest.mark.parametrize("tags", [("o", "b-per"), ("O", "B_PER"), ("O", "I_PER")])
def test_tags_that_look_like_iob_are_not_plain_without_a_word(file, tags):
    task = Tagging()
    content = "".join(f"dog\t{tag}\n" for tag in ("X", *tags))
    with pytest.warns(KbertWarning, match=r"line [23]: tag '.* plain one"):
        assert task.fitted(task.read(file(content))).scheme == "plain"


def test_plain_tags_are_plain(file):
    task = Tagging()
    path = file("dog\tNN\nsat\tVBD\n(\t-LRB-\n,\t,\nO\tO\n")

    assert task.fitted(task.read(path)).scheme == "plain"
