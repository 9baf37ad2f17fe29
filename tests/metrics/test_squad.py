"""kbert/metrics/squad.py"""

import numpy as np
import original_squad
import pytest

from kbert.errors import InputError
from kbert.metrics.squad import (
    answer_figures,
    answer_scores,
    normalize_answer,
    threshold_figures,
)

WORDS = ["the", "a", "An", "cat", "Cats", "U.S.", "-", "!", "1,000", "é", "“x”", ""]


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("The Cat", "cat"),
        ("cat, the", "cat"),
        ("U.S.A.", "usa"),
        ("a.b", "ab"),
        ("an apple a day", "apple day"),
        ("another theory", "another theory"),
        ("well-known", "wellknown"),
        ("a-b", "ab"),
        (" \tone\u00a0two\n", "one two"),
        ("the", ""),
        ("...", ""),
        ("$1,000.50", "100050"),
        ("“Quoted”", "“quoted”"),
        ("ÉCOLE", "école"),
        ("l'été", "lété"),
        ("THE the The x", "x"),
    ],
)
def test_answers_are_compared_without_case_punctuation_articles_and_blanks(text, bare):
    assert normalize_answer(text) == bare


@pytest.mark.parametrize(
    ("gold", "answer", "exact", "f1"),
    [
        ("the cat", "Cat!", 1, 1),
        ("black cat", "cat", 0, 2 / 3),  # precision 1, recall 1/2
        ("one two three", "two three four five", 0, 4 / 7),  # 2/4 and 2/3
        ("to be or to be", "to be", 0, 4 / 7),  # 2/2 and 2/5: words count as often
        ("to be", "to to", 0, 1 / 2),
        ("cat", "dog", 0, 0),
        ("cat", "", 0, 0),
        ("b a", "a b", 1, 1),  # the article goes
        ("x y", "y x", 0, 1),
    ],
)
@pytest.mark.parametrize("scorer", ["squad1", "squad2"])
def test_one_answer_against_one_gold(gold, answer, exact, f1, scorer):
    scores = answer_scores([[gold]], [answer], scorer=scorer)

    assert scores.exact.tolist() == [exact]
    assert scores.f1.tolist() == pytest.approx([f1])


def test_the_best_of_several_golds_counts_for_each_figure_on_its_own():
    golds = [["the cat", "black cat sat", "dog"]]

    scores = answer_scores(golds, ["black cat"], scorer="squad2")

    assert scores.exact.tolist() == [0]
    assert scores.f1.tolist() == pytest.approx([0.8])  # 2/2 and 2/3


@pytest.mark.parametrize(
    ("scorer", "golds", "answer", "exact", "f1"),
    [
        ("squad1", ["The"], "the", 1, 0),
        ("squad2", ["The"], "the", 1, 1),
        ("squad2", ["The"], "cat", 0, 0),
        ("squad1", ["the", "cat"], "a", 1, 0),
        ("squad2", ["the", "cat"], "a", 0, 0),  # a gold without words is none
        ("squad1", [], "", 1, 1),
        ("squad1", [], "the", 0, 0),
        ("squad2", [], "", 1, 1),
        ("squad2", [], "the", 1, 1),
        ("squad2", [], "cat", 0, 0),
    ],
)
def test_empty_golds_and_answers(scorer, golds, answer, exact, f1):
    scores = answer_scores([golds], [answer], scorer=scorer)

    assert (scores.exact.tolist(), scores.f1.tolist()) == ([exact], [f1])


def test_squad_2_tells_questions_with_and_without_an_answer_apart():
    golds = [["cat"], ["black cat"], ["dog"], [], []]
    answers = ["cat", "cat", "", "", "cat"]

    figures = answer_figures(golds, answers, scorer="squad2")

    assert figures == pytest.approx(
        {
            "exact": 100 * 2 / 5,
            "f1": 100 * (1 + 2 / 3 + 0 + 1 + 0) / 5,
            "total": 5,
            "HasAns_exact": 100 / 3,
            "HasAns_f1": 100 * (5 / 3) / 3,
            "HasAns_total": 3,
            "NoAns_exact": 50,
            "NoAns_f1": 50,
            "NoAns_total": 2,
        }
    )


def test_squad_2_has_no_figures_of_questions_that_are_not_there():
    names = set(answer_figures([["a b"]], ["b"], scorer="squad2"))

    assert not any(name.startswith("NoAns") for name in names)
    assert "HasAns_f1" in names


def test_squad_1_has_three_figures():
    figures = answer_figures([["cat"], ["dog"]], ["cat", "cat"], scorer="squad1")

    assert figures == {"exact": 50, "f1": 50, "total": 2}


def test_cmrc_has_the_average_of_both():
    figures = answer_figures([["北京市"]], ["北京"], scorer="cmrc")

    assert figures == {"exact": 0, "f1": 80, "total": 1, "average": 40}


@pytest.mark.parametrize("seed", range(20))
def test_figures_equal_a_plain_rewrite_of_the_official_scripts(seed):
    golds, answers, odds = random_file(seed, count=40)
    some = [own or ["cat"] for own in golds]

    figures = answer_figures(golds, answers, scorer="squad2")
    thresholds = threshold_figures(golds, answers, odds)

    assert figures == original_squad.evaluation(golds, answers, 2)
    assert answer_figures(some, answers, scorer="squad1") == original_squad.evaluation(
        some, answers, 1
    )
    for which, name in enumerate(("exact", "f1")):
        best, threshold = original_squad.best_threshold(golds, answers, odds, which)

        assert thresholds[f"best_{name}"] == pytest.approx(best, abs=1e-12)
        assert thresholds[f"best_{name}_thresh"] == threshold


def random_file(seed, count):
    """Golds, answers and odds; some odds are equal."""
    generator = np.random.default_rng(seed)

    def text():
        return " ".join(generator.choice(WORDS, generator.integers(0, 4)))

    golds = [[text() for _ in range(generator.integers(0, 3))] for _ in range(count)]
    answers = [text() for _ in range(count)]
    return golds, answers, generator.integers(-9, 9, count).astype(float).tolist()


# Odds −3 … 1. Answering the first two questions gains 1 + 2/3, the third, which has no
# answer, loses 1, the fourth gains 1 again.
GOLDS = [["cat"], ["black cat"], [], ["dog"], []]
ANSWERS = ["cat", "cat", "cat", "dog", "dog"]
ODDS = [-3.0, -2.0, -1.0, 0.5, 1.0]


def test_the_best_threshold_is_the_odds_of_the_last_question_to_answer():
    figures = threshold_figures(GOLDS, ANSWERS, ODDS)

    # F1: 2, 3, 3 2/3, 2 2/3, 3 2/3, 2 2/3 of 5. Exact: 2, 3, 3, 2, 3, 2 of 5.
    assert figures == pytest.approx(
        {
            "best_exact": 60,
            "best_exact_thresh": -3.0,
            "best_f1": 100 * (3 + 2 / 3) / 5,
            "best_f1_thresh": -2.0,
        }
    )


def test_answers_emptied_at_the_best_threshold_have_the_best_figure():
    threshold = threshold_figures(GOLDS, ANSWERS, ODDS)["best_f1_thresh"]
    emptied = [
        "" if odds > threshold else answer
        for answer, odds in zip(ANSWERS, ODDS, strict=True)
    ]

    figures = answer_figures(GOLDS, emptied, scorer="squad2")

    assert figures["f1"] == pytest.approx(100 * (3 + 2 / 3) / 5)


def test_the_order_of_questions_does_not_matter():
    turned = threshold_figures(GOLDS[::-1], ANSWERS[::-1], ODDS[::-1])

    assert turned == pytest.approx(threshold_figures(GOLDS, ANSWERS, ODDS))


def test_where_nothing_is_best_the_official_threshold_is_zero():
    figures = threshold_figures([["cat"], []], ["dog", "dog"], [-5.0, -4.0])

    assert (figures["best_f1"], figures["best_f1_thresh"]) == (50, 0.0)


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(InputError, match="1 answers; expected 2, one a question"):
        answer_figures([["a"], ["b"]], ["a"], scorer="squad1")
    with pytest.raises(InputError, match="nothing to score"):
        answer_figures([], [], scorer="squad1")
    with pytest.raises(InputError, match="1 null odds; expected 2"):
        threshold_figures([["a"], ["b"]], ["a", "b"], [0.0])
    with pytest.raises(InputError, match="null odds 1 are nan; expected a number"):
        threshold_figures([["a"], ["b"]], ["a", "b"], [0.0, float("nan")])
