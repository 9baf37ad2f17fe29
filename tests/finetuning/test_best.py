"""kbert/finetuning/best.py"""

import numpy as np
import pytest

import kbert
from kbert import KbertError
from kbert.finetuning.best import (
    best_line,
    forget_worse,
    is_over,
    keep_best,
    restore_best,
)
from kbert.model import model_variables


def lines_of(*figures):
    """A line every step; those with a figure are evaluations."""
    return [
        {"step": step} | ({} if one is None else {"evaluation_f1": one})
        for step, one in enumerate(figures, 1)
    ]


@pytest.mark.parametrize(
    ("figures", "step"),
    [
        ([0.1, None, 0.3, 0.2], 3),
        ([None, 0.3, 0.3], 2),  # the first of equal ones
        ([-0.2, None, -0.1], 3),
    ],
)
def test_the_best_line_has_the_highest_figure(figures, step):
    assert best_line(lines_of(*figures), "f1")["step"] == step


def test_without_an_evaluation_no_line_is_best():
    assert best_line(lines_of(None, None), "f1") is None


@pytest.mark.parametrize(
    ("figures", "patience", "over"),
    [
        ([], 1, False),
        ([0.1], 1, False),
        ([0.1, 0.1], 1, True),  # as good is not better
        ([0.2, None, None, 0.1], 2, False),
        ([0.2, 0.1, 0.15], 2, True),
        ([0.2, 0.1, 0.3], 2, False),
        ([0.2, 0.1, 0.1, 0.1], None, False),
    ],
)
def test_a_run_is_over_when_so_many_evaluations_were_no_better(figures, patience, over):
    assert is_over(lines_of(*figures), "f1", patience=patience) is over


def test_the_best_weights_come_back_and_the_others_are_forgotten(tiny_bert, tmp_path):
    keep_best(tiny_bert, tmp_path, step=4)
    keep_best(kbert.new_bert(tiny_bert.config), tmp_path, step=6)
    forget_worse(tmp_path, step=4)
    other = kbert.new_bert(tiny_bert.config)
    restore_best(other, tmp_path, step=4)

    own = model_variables(tiny_bert)
    for path, variable in model_variables(other).items():
        np.testing.assert_array_equal(variable.numpy(), own[path].numpy())
    assert [one.name for one in (tmp_path / "best").iterdir()] == ["step-00000004"]
    with pytest.raises(KbertError, match="step-00000006"):
        restore_best(other, tmp_path, step=6)
