"""kbert/tasks/squad on the published files"""

import dataclasses
import types
import warnings

import numpy as np
import pytest

from kbert import Tokenizer
from kbert.errors import InputError, KbertWarning
from kbert.tasks.squad import QuestionAnswering, read_questions

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

# Articles, paragraphs, questions, questions without an answer, answers.
COUNTS = {
    "squad/dev-v1.1.json": (48, 2067, 10570, 0, 34726),
    "squad/dev-v2.0.rebuilt.json": (35, 1204, 11873, 5945, 20302),
    "cmrc2018/cmrc2018_dev.json": (None, 848, 3219, 0, 9657),
    "cmrc2018/cmrc2018_trial.json": (None, 256, 1002, 0, 1002),
    "xquad/xquad.en.json": (48, 240, 1190, 0, 1190),
    "xquad/xquad.zh.json": (48, 240, 1190, 0, 1190),
}


@pytest.mark.parametrize("name", COUNTS)
def test_nothing_of_a_file_is_lost(shared, name):
    questions = read_questions(str(shared / "data" / name))

    articles, paragraphs, *rest = COUNTS[name]
    if articles:
        assert len({one.title for one in questions}) == articles
    assert len({(one.title, one.context) for one in questions}) == paragraphs
    assert [
        len(questions),
        sum(not one.answers for one in questions),
        sum(len(one.answers) for one in questions),
    ] == rest


def test_the_articles_for_training_and_for_testing_are_all_there(shared):
    folder = shared / "data" / "squad"
    listed = [
        set((folder / f"articles.{part}.txt").read_text("utf-8").split("\n")) - {""}
        for part in ("train", "test")
    ]
    titles = {one.title for one in read_questions(str(folder / "dev-v1.1.json"))}

    assert not listed[0] & listed[1]
    assert listed[0] | listed[1] == titles


@pytest.mark.parametrize(
    ("name", "wrong", "answers"), [("dev", 200, 9657), ("trial", 5, 1002)]
)
def test_answers_of_cmrc_that_are_off_are_found_elsewhere(shared, name, wrong, answers):
    task = QuestionAnswering(skip_bad=True)
    questions = task.read(str(shared / "data" / "cmrc2018" / f"cmrc2018_{name}.json"))

    with pytest.raises(InputError, match=f"{wrong} of {answers} answers of the file"):
        QuestionAnswering().fitted(questions)
    with pytest.warns(KbertWarning, match=rf"{wrong} of {answers} .* 0 of \d+ quest"):
        rows = task.rows(questions, chinese(shared), max_length=384, training=True)

    assert np.unique(rows.examples).tolist() == list(range(len(questions)))


# An answer that begins or ends within a word piece is given with the rest of the piece
# ("golden" for "gold"); with at most 30 pieces, longer ones are not given whole.
PERFECT = [
    ("squad/dev-v1.1.json", "uncased", 99.75, 99.6),
    ("squad/dev-v1.1.json", "cased", 99.75, 99.6),
    ("squad/dev-v2.0.rebuilt.json", "uncased", 99.95, 99.9),
    ("cmrc2018/cmrc2018_dev.json", "chinese", 99.9, 94),
    ("cmrc2018/cmrc2018_trial.json", "chinese", 99, 66),
    ("xquad/xquad.en.json", "uncased", 99.9, 99.9),
    ("xquad/xquad.zh.json", "chinese", 100, 98.5),
]


@pytest.mark.parametrize(("name", "language", "lowest", "lowest_of_30"), PERFECT)
def test_a_model_that_knows_the_right_places_is_right(
    shared, name, language, lowest, lowest_of_30
):
    tokenizer = chinese(shared) if language == "chinese" else english(shared, language)
    scorer = "cmrc" if language == "chinese" else "squad"
    task = QuestionAnswering(skip_bad=True, scorer=scorer)
    questions = task.read(str(shared / "data" / name))
    task = task.fitted(questions)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", KbertWarning)
        trained = task.rows(questions, tokenizer, max_length=384, training=True)
    rows = task.rows(questions, tokenizer, max_length=384, training=False)
    outputs = [np.zeros((int(length), 2), np.float32) for length in rows.lengths]
    for output, (start, end) in zip(
        outputs, trained.targets["span"].values, strict=True
    ):
        output[start, 0] = output[end, 1] = 9.0
    bert = types.SimpleNamespace(tokenizer=tokenizer)

    for length, least in ((1000, lowest), (30, lowest_of_30)):
        limited = dataclasses.replace(task, max_answer_length=length)
        guesses = limited.guesses(questions, rows, outputs, bert)
        texts = [limited.answer(one) for one in guesses]

        assert limited.score(questions, guesses)["exact"] >= least
        assert all(
            text in one.context for one, text in zip(questions, texts, strict=True)
        )


def english(shared, kind):
    path = shared / "data" / "vocab" / f"bert-base-{kind}-vocab.txt"
    return Tokenizer(path, lowercase=kind == "uncased")


def chinese(shared):
    return Tokenizer(shared / "data" / "vocab" / "bert-base-chinese-vocab.txt")
