"""kbert/tasks/squad/places.py"""

import pytest

from kbert.errors import InputError, KbertWarning
from kbert.tasks.squad import Answer, Question
from kbert.tasks.squad.places import answer_places, check_places

CONTEXT = "a cat, a dog, a cat and a dog"  # cat at 2 and 16, dog at 9 and 26


def question(*answers, name="one", context=CONTEXT):
    return Question(
        source="a.json",
        line=1,
        id=name,
        title="",
        question="who",
        context=context,
        answers=tuple(Answer(*answer) for answer in answers),
    )


def found(*answers, context=CONTEXT):
    """The place of the answer to one question, and whether it is found."""
    with pytest.warns(KbertWarning):
        places = answer_places([question(*answers, context=context)], skip_bad=True)
    return (int(places.starts[0]), int(places.ends[0])), bool(places.found[0])


def test_answers_at_their_place_are_taken_and_nothing_is_said():
    questions = [question(("cat", 16), ("dog", 9)), question(), question(("dog", 26))]

    for skip_bad in (False, True):
        places = answer_places(questions, skip_bad=skip_bad)

        assert places.starts.tolist() == [16, -1, 26]
        assert places.ends.tolist() == [19, -1, 29]
        assert places.found.all()


def test_an_answer_elsewhere_stops_with_its_id_its_text_and_what_stands_there():
    questions = [question(("cat", 2)), question(("dog", 9), ("cat", 17), name="two")]

    with pytest.raises(InputError) as caught:
        check_places(questions)

    assert str(caught.value).startswith(
        "a.json: question 'two': 'at ' stands at answer_start=17; "
        "expected the answer 'cat'. 1 of 3 answers of the file are off"
    )
    with pytest.raises(InputError, match="--skip-bad"):
        answer_places(questions, skip_bad=False)


@pytest.mark.parametrize("start", [-1, 29, 1000, 27])
def test_answers_that_begin_outside_the_context_are_off(start):
    with pytest.raises(InputError, match=f"answer_start={start}; expected the answer"):
        check_places([question(("dog", start))])


def test_an_empty_answer_is_off():
    with pytest.raises(InputError, match="expected the answer ''"):
        check_places([question(("", 0))])


@pytest.mark.parametrize(
    ("start", "nearest"),
    [(0, 2), (3, 2), (8, 2), (10, 16), (17, 16), (29, 16), (-1, 2), (99, 16), (9, 2)],
)
def test_the_nearest_place_of_the_text_is_taken(start, nearest):
    assert found(("cat", start)) == ((nearest, nearest + 3), True)


def test_overlapping_places_are_all_looked_at():
    assert found(("aba", 3), context="ababa c") == ((2, 5), True)


def test_an_answer_at_its_place_goes_before_one_that_is_not():
    assert found(("cat", 17), ("dog", 9)) == ((9, 12), True)


def test_the_first_answer_that_is_somewhere_goes_before_later_ones():
    assert found(("bird", 4), ("dog", 8), ("cat", 3)) == ((9, 12), True)


def test_a_question_without_any_answer_in_its_context_is_not_found():
    assert found(("bird", 4), ("", 0)) == ((-1, -1), False)


def test_the_warning_counts_answers_and_questions():
    questions = [question(("cat", 3), ("dog", 9)), question(("bird", 0)), question()]

    with pytest.warns(KbertWarning, match=r"a\.json: 2 of 3 answers .* 1 of 3 quest"):
        answer_places(questions, skip_bad=True)
