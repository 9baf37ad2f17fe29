"""kbert/metrics/classification.py"""

import math

import numpy as np
import pytest

from kbert.errors import InputError
from kbert.metrics.classification import (
    GLUE_FIGURES,
    class_figures,
    class_table,
    confusion_matrix,
    glue_figures,
    label_set_figures,
    score_figures,
)

# Two classes: 2 true and 1 false positive, 1 false and 1 true negative.
GOLD, GUESSES = np.array([1, 1, 1, 0, 0]), np.array([1, 1, 0, 1, 0])
# Three classes: 0 always right, 1 never, 2 right twice and guessed once more.
THREE, OF_THREE = np.array([0, 1, 2, 2]), np.array([0, 2, 2, 2])


def test_two_classes_have_the_f1_of_class_1():
    figures = class_figures(GOLD, GUESSES, num_classes=2)

    assert figures == pytest.approx(
        {"accuracy": 3 / 5, "f1": 2 * 2 / (2 * 2 + 1 + 1), "matthews": (2 - 1) / 6}
    )


def test_more_classes_have_the_mean_f1_and_that_of_all_together():
    figures = class_figures(THREE, OF_THREE, num_classes=3)

    assert figures["f1_macro"] == pytest.approx((1 + 0 + 4 / 5) / 3)
    assert figures["f1_micro"] == pytest.approx(3 / 4)
    assert figures["accuracy"] == pytest.approx(3 / 4)


def test_a_text_with_several_labels_is_right_if_all_of_them_are():
    gold = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], bool)
    guesses = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0]], bool)

    assert label_set_figures(gold, guesses) == pytest.approx(
        {"accuracy": 1 / 3, "f1_macro": (2 / 3 + 2 / 3 + 0) / 3, "f1_micro": 4 / 6}
    )


def test_one_label_alone_is_there_or_not():
    gold, guesses = np.array([[1], [1], [0]], bool), np.array([[1], [0], [0]], bool)

    assert label_set_figures(gold, guesses) == pytest.approx(
        {"accuracy": 2 / 3, "f1_macro": 2 / 3, "f1_micro": 2 / 3}
    )


def test_correlations_of_scores_equal_hand_arithmetic():
    figures = score_figures(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))

    assert figures == pytest.approx({"pearson": 3 / math.sqrt(28 / 3), "spearman": 1})


def test_ties_share_their_rank():
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4.
    figures = score_figures(np.array([1, 2, 2, 9]), np.array([1, 2, 3, 4]))

    assert figures["spearman"] == pytest.approx(4.5 / math.sqrt(4.5 * 5))


@pytest.mark.parametrize("guesses", [[2.0, 2.0, 2.0], [0.0, -0.0, 0.0]])
def test_guesses_that_are_all_the_same_correlate_with_nothing(guesses):
    figures = score_figures(np.array([1.0, 2.0, 3.0]), np.array(guesses))

    assert figures == {"pearson": 0, "spearman": 0}


def test_guesses_that_are_nearly_the_same_do_not_warn():
    guesses = np.array([1.0, np.nextafter(1.0, 2.0), 1.0])
    figures = score_figures(np.array([1.0, 2.0, 3.0]), guesses)

    assert all(map(math.isfinite, figures.values()))


def test_what_is_undefined_is_zero():
    ones = np.ones(3, int)

    assert score_figures(np.array([1.0]), np.array([2.0])) == {
        "pearson": 0,
        "spearman": 0,
    }
    assert score_figures(ones, ones * 2.0) == {"pearson": 0, "spearman": 0}
    assert class_figures(ones, ones, num_classes=2)["matthews"] == 0
    assert class_figures(ones - 1, ones - 1, num_classes=2) == {
        "accuracy": 1,
        "f1": 0,
        "matthews": 0,
    }
    assert class_figures(np.array([0, 1]), np.array([0, 0]), num_classes=2) == {
        "accuracy": 0.5,
        "f1": 0,
        "matthews": 0,
    }


def test_every_task_of_glue_has_its_official_figures():
    for task, names in GLUE_FIGURES.items():
        assert tuple(glue_figures(task, GOLD, GUESSES)) == names

    assert glue_figures("CoLA", GOLD, GUESSES) == pytest.approx({"matthews": 1 / 6})
    assert glue_figures("MRPC", GOLD, GUESSES) == pytest.approx(
        {"f1": 2 / 3, "accuracy": 3 / 5}
    )
    assert glue_figures("MNLI", THREE, OF_THREE) == {"accuracy": 0.75}


def test_an_unknown_task_of_glue_is_named():
    with pytest.raises(InputError, match="no task 'SNLI'; expected one of CoLA, SST-2"):
        glue_figures("SNLI", GOLD, GUESSES)


def test_the_table_has_a_row_for_each_class_also_one_that_is_absent():
    rows = class_table(THREE, OF_THREE, ["a", "b", "c", "d"])

    assert [row["label"] for row in rows] == ["a", "b", "c", "d"]
    assert [row["support"] for row in rows] == [1, 1, 2, 0]
    assert [row["precision"] for row in rows] == pytest.approx([1, 0, 2 / 3, 0])
    assert [row["recall"] for row in rows] == [1, 0, 1, 0]
    assert [row["f1"] for row in rows] == pytest.approx([1, 0, 4 / 5, 0])


def test_the_table_of_label_sets_counts_each_label_alone():
    gold = np.array([[1, 0], [1, 1]], bool)
    rows = class_table(gold, np.array([[1, 1], [0, 1]], bool), ["a", "b"])

    assert [(row["precision"], row["recall"]) for row in rows] == [(1, 0.5), (0.5, 1)]


def test_the_table_of_one_label_counts_the_texts_that_have_it():
    gold, guesses = np.array([[1], [1], [0]], bool), np.array([[1], [1], [1]], bool)
    (row,) = class_table(gold, guesses, ["a"])

    assert (row["label"], row["recall"], row["support"]) == ("a", 1, 2)
    assert (row["precision"], row["f1"]) == pytest.approx((2 / 3, 4 / 5))
    (none,) = class_table(gold, ~guesses, ["a"])
    assert (none["precision"], none["recall"], none["support"]) == (0, 0, 2)


def test_rows_of_the_confusion_matrix_are_the_right_classes():
    matrix = confusion_matrix(THREE, OF_THREE, num_classes=4)

    assert matrix.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 2, 0], [0] * 4]


@pytest.mark.parametrize("figures", [score_figures, label_set_figures])
def test_nothing_to_score_and_other_numbers_are_errors(figures):
    with pytest.raises(InputError, match="nothing to score; expected at least one"):
        figures(np.zeros((0, 2)), np.zeros((0, 2)))
    with pytest.raises(InputError, match=r"guesses of shape \(3,\); expected \(2,\)"):
        figures(np.zeros(2), np.zeros(3))


def test_a_guess_that_is_not_finite_is_named():
    with pytest.raises(InputError, match="guess 1 is nan; expected a number"):
        score_figures(np.array([1.0, 2.0]), np.array([1.0, np.nan]))
