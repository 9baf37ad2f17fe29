"""kbert/tasks/squad/questions.py"""

import copy
import gzip
import json

import pytest

from kbert.errors import InputError
from kbert.tasks.squad import Answer, read_questions

FILE = {
    "version": "1.1",
    "data": [
        {
            "title": "Cats",
            "paragraphs": [
                {
                    "context": "The cat sat.",
                    "qas": [
                        {
                            "id": "one",
                            "question": "Who sat?",
                            "answers": [
                                {"text": "cat", "answer_start": 4},
                                {"text": "The cat", "answer_start": 0},
                            ],
                        },
                        {
                            "id": 2,
                            "question": "Who ran?",
                            "answers": [],
                            "is_impossible": True,
                        },
                    ],
                }
            ],
        },
        {
            "paragraphs": [
                {"context": "", "qas": []},
                {
                    "context": "中国",
                    "qas": [
                        {
                            "id": "三",
                            "question": "?",
                            "answers": [{"text": "国", "answer_start": 7}],
                        }
                    ],
                },
            ]
        },
    ],
}


def written(tmp_path, content, name="a.json"):
    path = tmp_path / name
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return str(path)


def test_every_question_has_its_context_its_answers_and_its_article(tmp_path):
    path = written(tmp_path, FILE)

    one, two, three = read_questions(path)

    assert (one.id, one.title, one.question) == ("one", "Cats", "Who sat?")
    assert one.context == two.context == "The cat sat."
    assert one.answers == (Answer("cat", 4), Answer("The cat", 0))
    assert one.golds == ["cat", "The cat"]
    assert (two.id, two.answers) == ("2", ())
    assert (three.id, three.title, three.context) == ("三", "", "中国")
    assert [question.line for question in (one, two, three)] == [1, 2, 3]
    assert three.source == path


def test_a_compressed_file_is_read(tmp_path):
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(json.dumps(FILE).encode()))

    assert len(read_questions(str(path))) == 3


def test_answers_may_be_missing_where_nothing_is_scored(tmp_path):
    content = copy.deepcopy(FILE)
    del content["data"][1]["paragraphs"][1]["qas"][0]["answers"]
    path = written(tmp_path, content)

    *_, three = read_questions(path, gold=False)

    assert three.answers is None
    with pytest.raises(InputError, match="question '三' has no key 'answers'"):
        _ = three.golds
    with pytest.raises(
        InputError, match="article 2, paragraph 2, question '三': no key"
    ):
        read_questions(path)


PARAGRAPH = ("data", 0, "paragraphs", 0)
FIRST = (*PARAGRAPH, "qas", 0)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((), [1], 'a.json: holds a list; expected {"data": […]}, as SQuAD'),
        (("data",), {}, "a.json: 'data' is an object; expected a list of objects"),
        (("data",), [], "a.json: holds no question; expected at least one"),
        (("data", 0), "x", "a.json: article 1 is a string; expected an object"),
        (("data", 0, "title"), 7, "article 1: 'title' is the number 7; expected a str"),
        (PARAGRAPH, {"qas": []}, "article 1, paragraph 1: no key 'context'; expected"),
        ((*PARAGRAPH, "qas", 1), None, "paragraph 1: question 2 is null; expected an"),
        ((*FIRST, "id"), 1.5, "paragraph 1, question 1: 'id' is the number 1.5"),
        (
            (*FIRST, "id"),
            "三",
            "article 2, paragraph 2, question '三': its id stands tw",
        ),
        (
            (*FIRST, "question"),
            None,
            "question 'one': 'question' is null; expected a s",
        ),
        ((*FIRST, "question"), "\ud800", "'question' holds \\ud800, half of a surroga"),
        ((*FIRST, "answers"), {"text": []}, "'answers' is an object; expected a list"),
        (
            (*FIRST, "answers", 1, "text"),
            1,
            "question 'one', answer 2: 'text' is the n",
        ),
        ((*FIRST, "answers", 0, "answer_start"), "4", "'answer_start' is a string; ex"),
        ((*FIRST, "answers", 0, "answer_start"), True, "'answer_start' is true; expec"),
        ((*FIRST, "is_impossible"), 1, "'is_impossible' is the number 1; expected tru"),
        (
            (*FIRST[:-1], 1, "is_impossible"),
            False,
            "question '2': 'is_impossible' is false, with no answers",
        ),
        ((*FIRST, "is_impossible"), True, "'is_impossible' is true, with 2 answers"),
    ],
)
def test_what_is_not_of_the_shape_is_named(tmp_path, place, value, message):
    content = copy.deepcopy(FILE)
    inner = {"all": content}
    *above, last = ("all", *place)
    for key in above:
        inner = inner[key]
    inner[last] = value
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content if place else inner["all"]), "utf-8")

    with pytest.raises(InputError) as caught:
        read_questions(str(path))

    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
