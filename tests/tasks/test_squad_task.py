"""kbert/tasks/squad/task.py"""

import json
import types

import numpy as np
import original_squad
import pytest
from squad_questions import question, the_tokenizer

from kbert.errors import ConfigError, InputError, KbertWarning
from kbert.tasks import task_class
from kbert.tasks.squad import Answer, Candidate, Guess, Question, QuestionAnswering

NONE = Question("a.json", 2, "none", "", "who", "the cat", ())
OFF = Question("a.json", 3, "off", "", "who", "the cat", (Answer("cat", 0),))
UNKNOWN = Question("a.json", 4, "unknown", "", "who", "the cat", None)
CAT = question("who", "the cat", "cat", name="cat")


def guess(text, odds=None):
    return Guess((Candidate(text, 0, 1.0, 1.0, 2.0),), text, odds)


# Odds −3 … 1; see tests/metrics/test_squad.py: the best F1 is at −2.
EXAMPLES = [
    question("1", "the cat", "cat"),
    question("2", "black cat", "black cat"),
    question("3", "the cat"),
    question("4", "the dog", "dog"),
    question("5", "the dog"),
]
GUESSES = [
    guess("cat", -3.0),
    guess("cat", -2.0),
    guess("cat", -1.0),
    guess("dog", 0.5),
    guess("dog", 1.0),
]
WITH_NONE = QuestionAnswering(version_2=True)


def test_it_is_the_task_qa():
    assert task_class("qa") is QuestionAnswering
    task = QuestionAnswering()
    assert (task.kind, task.head, task.loss) == ("qa", "span", "cross_entropy")
    assert (task.labels, task.units) == ((), 2)


def test_the_training_file_says_whether_a_question_may_have_no_answer():
    assert QuestionAnswering().fitted([CAT, CAT]).version_2 is False
    assert QuestionAnswering().fitted([CAT, NONE]).version_2 is True
    assert QuestionAnswering(version_2=True).fitted([CAT]).version_2 is True


def test_training_needs_answers_that_stand_at_their_place():
    with pytest.raises(InputError, match="question 'off': 'the' stands at answer_star"):
        QuestionAnswering().fitted([CAT, OFF])
    with pytest.raises(InputError, match="no question has an answer"):
        QuestionAnswering().fitted([NONE])
    with pytest.raises(InputError, match="question 'none' has no answer; expected one"):
        QuestionAnswering(version_2=False).fitted([CAT, NONE])
    with pytest.raises(InputError, match="question 'unknown' has no key 'answers'"):
        QuestionAnswering().fitted([CAT, UNKNOWN])
    assert QuestionAnswering(skip_bad=True).fitted([CAT, OFF]).version_2 is False


def test_what_is_right_has_to_be_known_to_be_scored():
    QuestionAnswering().check([CAT, NONE, OFF])

    with pytest.raises(InputError, match="question 'unknown' has no key 'answers'"):
        QuestionAnswering().check([CAT, UNKNOWN])


def test_answers_off_their_place_are_scored_all_the_same():
    task = QuestionAnswering()
    rows = task.rows([OFF], the_tokenizer(), max_length=16, training=False)

    assert len(rows) == 1
    assert task.score([OFF], [guess("cat")]) == {"exact": 100, "f1": 100, "total": 1}


def test_answers_off_their_place_are_looked_for_in_training():
    task = QuestionAnswering(skip_bad=True)

    with pytest.warns(KbertWarning, match=r"a\.json: 1 of 1 answers do not stand"):
        rows = task.rows([OFF], the_tokenizer(), max_length=16, training=True)
    with pytest.raises(InputError, match="--skip-bad"):
        QuestionAnswering().rows([OFF], the_tokenizer(), max_length=16, training=True)

    assert rows.targets["span"].values.tolist() == [[6, 6]]  # w h o are three pieces


def test_windows_go_from_the_rows_to_the_guesses():
    """A model that is sure of the right places answers rightly, in every window."""
    text = "the cat sat on the mat the dog sat on the mat"
    examples = [question("who", text, "dog"), question("on", text), CAT]
    task = QuestionAnswering(doc_stride=3, max_query_length=4).fitted(examples)
    tokenizer = the_tokenizer()
    targets = task.rows(examples, tokenizer, max_length=11, training=True).targets
    rows = task.rows(examples, tokenizer, max_length=11, training=False)
    outputs = [np.zeros((int(length), 2), np.float32) for length in rows.lengths]
    for output, (start, end) in zip(outputs, targets["span"].values, strict=True):
        output[start, 0] = output[end, 1] = 9.0

    bert = types.SimpleNamespace(tokenizer=tokenizer)
    guesses = task.guesses(examples, rows, outputs, bert)

    assert len(rows) > 6
    assert [guess.best for guess in guesses[::2]] == ["dog", "cat"]
    assert guesses[1].null_odds == 18 - 0
    assert task.score(examples, guesses)["best_f1"] == 100


def test_the_threshold_is_found_once_by_the_official_procedure():
    golds = [one.golds for one in EXAMPLES]
    answers, odds = ["cat", "cat", "cat", "dog", "dog"], [-3.0, -2.0, -1.0, 0.5, 1.0]
    _, expected = original_squad.best_threshold(golds, answers, odds, 1)

    tuned = WITH_NONE.tuned(EXAMPLES, GUESSES)

    assert tuned.null_threshold == expected == -2.0
    assert tuned.tuned(EXAMPLES[:1], GUESSES[:1]) is tuned
    assert (
        QuestionAnswering(version_2=False).tuned(EXAMPLES, GUESSES).version_2 is False
    )


def test_a_threshold_above_zero_is_found_too():
    """It needs the answers as they are before any threshold empties them."""
    examples, guesses = [EXAMPLES[0], NONE], [guess("cat", 3.0), guess("cat", 4.0)]

    tuned = WITH_NONE.tuned(examples, guesses)

    assert tuned.null_threshold == 3.0
    assert tuned.score(examples, guesses)["f1"] == 100


def test_the_threshold_decides_which_questions_get_no_answer():
    tuned = WITH_NONE.tuned(EXAMPLES, GUESSES)

    assert [WITH_NONE.answer(one) for one in GUESSES] == ["cat", "cat", "cat", "", ""]
    assert [tuned.answer(one) for one in GUESSES] == ["cat", "cat", "", "", ""]
    assert QuestionAnswering().answer(guess("cat")) == "cat"


def test_at_the_threshold_found_f1_is_the_best_f1():
    tuned = WITH_NONE.tuned(EXAMPLES, GUESSES)

    before, after = (task.score(EXAMPLES, GUESSES) for task in (WITH_NONE, tuned))

    assert after["f1"] == after["best_f1"] == pytest.approx(100 * (3 + 2 / 3) / 5)
    assert before["f1"] == pytest.approx(100 * (2 + 2 / 3) / 5)
    assert before["best_f1"] == after["best_f1"]
    assert after["HasAns_total"] == 3


def test_the_best_f1_may_be_more_than_its_threshold_gives():
    wrong = [guess("dog", -5.0), guess("dog", -4.0)]  # nothing is best: 1 of 2
    alike = [guess("cat", -1.0), guess("cat", -1.0)]  # the first one alone: 2 of 2
    examples = [EXAMPLES[0], NONE]
    found = {}
    for name, guesses in (("wrong", wrong), ("alike", alike)):
        tuned = WITH_NONE.tuned(examples, guesses)
        figures = tuned.score(examples, guesses)
        main = figures[WITH_NONE.main_figure]  # it picks weights by what they give
        found[name] = tuned.null_threshold, figures["best_f1"], main

    assert found == {"wrong": (0.0, 50, 0), "alike": (-1.0, 100, 50)}


def test_the_figures_are_those_of_the_scripts_for_the_files_that_are_written(tmp_path):
    tuned = WITH_NONE.tuned(EXAMPLES, GUESSES)
    tuned.write(tmp_path, EXAMPLES, GUESSES)
    tuned.report(tmp_path, EXAMPLES, GUESSES)

    answers = json.loads((tmp_path / "predictions.json").read_text("utf-8"))
    odds = json.loads((tmp_path / "null_odds.json").read_text("utf-8"))
    figures = json.loads((tmp_path / "evaluation.json").read_text("utf-8"))

    assert answers == {"1": "cat", "2": "cat", "3": "", "4": "", "5": ""}
    golds = [one.golds for one in EXAMPLES]
    given = list(answers.values()), list(odds.values())
    expected = original_squad.evaluation(golds, given[0], 2)
    for which, name in enumerate(("exact", "f1")):
        best, threshold = original_squad.best_threshold(golds, *given, which)
        expected |= {f"best_{name}": best, f"best_{name}_thresh": threshold}
    assert figures == pytest.approx(expected)


def test_answers_go_to_a_file_or_into_a_folder(tmp_path):
    for name in ("a.json", "new", "."):
        QuestionAnswering().write(tmp_path / name, [CAT], [guess("cat")])

    for name in ("a.json", "new/predictions.json", "predictions.json"):
        assert json.loads((tmp_path / name).read_text("utf-8")) == {"cat": "cat"}


def test_the_best_answers_are_written_as_the_original_writes_them(tmp_path):
    QuestionAnswering().write(tmp_path, [CAT], [guess("cat")])

    assert json.loads((tmp_path / "nbest_predictions.json").read_text("utf-8")) == {
        "cat": [
            {"text": "cat", "probability": 1.0, "start_logit": 1.0, "end_logit": 2.0}
        ]
    }
    assert not (tmp_path / "null_odds.json").exists()


def test_a_folder_gets_all_that_there_is_to_see_of_the_answers(tmp_path):
    WITH_NONE.write(tmp_path / "new", [UNKNOWN], [guess("cat", -3.0)])
    WITH_NONE.write(tmp_path / "a.json", [UNKNOWN], [guess("cat", -3.0)])
    names = {path.name for path in (tmp_path / "new").iterdir()}

    assert names == {"predictions.json", "nbest_predictions.json", "null_odds.json"}
    odds = json.loads((tmp_path / "new" / "null_odds.json").read_text("utf-8"))
    assert odds == {"unknown": -3.0}
    assert {path.name for path in tmp_path.iterdir()} == {"new", "a.json"}


@pytest.mark.parametrize(
    ("task", "examples", "exact", "f1"),
    [
        (QuestionAnswering(), [question("1", "the cat", "the")], 100, 0),
        (QuestionAnswering(), [question("1", "the cat", "the"), NONE], 100, 100),
        (QuestionAnswering(scorer="cmrc"), [question("1", "中国", "中国")], 0, 0),
    ],
)
def test_the_scorer_goes_by_the_questions_and_the_option(task, examples, exact, f1):
    """ "the" and "a" are equal, of F1 0 by SQuAD 1.1 and 1 by 2.0, as "a" and ""."""
    figures = task.score(examples, [guess("a")] * len(examples))

    assert (figures["exact"], figures["f1"]) == (exact, f1)
    assert ("average" in figures) == (task.scorer == "cmrc")


def test_options_survive_a_round_trip_and_unknown_ones_are_refused():
    task = QuestionAnswering(doc_stride=7, null_threshold=-1.5, version_2=True)
    fields = json.loads(json.dumps(task.to_dict()))

    assert QuestionAnswering.from_dict(fields, ()) == task
    with pytest.raises(ConfigError, match="unknown option 'stride'"):
        QuestionAnswering.from_dict({"stride": 7}, ())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"doc_stride": 0}, "doc_stride=0; expected 1 or more"),
        ({"n_best": -1}, "n_best=-1; expected 1 or more"),
        ({"max_query_length": 0}, "max_query_length=0"),
        ({"max_answer_length": 0}, "max_answer_length=0"),
        ({"null_threshold": float("nan")}, "null_threshold=nan; expected a number"),
        ({"scorer": "bleu"}, "scorer='bleu'; expected squad or cmrc"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        QuestionAnswering(**options)


def test_a_row_has_to_have_room_for_question_and_context():
    with pytest.raises(ConfigError, match="max_length=4; expected 5 or more"):
        QuestionAnswering().rows([CAT], the_tokenizer(), max_length=4, training=False)
