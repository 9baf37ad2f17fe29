"""kbert/features/rows.py"""

import numpy as np
import pytest

from kbert.features.rows import Rows, merge_rows


def rows_of(units, counts, num_units):
    """Rows that belong to those units, each pooled from so many vectors."""
    splits = np.cumsum([0, *counts])
    numbers = np.arange(len(units))
    status = np.zeros(num_units, np.uint8)
    return Rows(splits, np.zeros(splits[-1]), numbers, np.array(units), status)


def test_one_row_a_unit_stays_as_it_is_and_the_others_are_zero():
    values = np.array([[1, 2], [3, 4]], "float32")

    merged = merge_rows(values, rows_of([0, 2], [5, 1], 3), maximum=False)

    assert merged.tolist() == [[1, 2], [0, 0], [3, 4]]


def test_rows_of_one_unit_are_weighted_with_their_tokens():
    values = np.array([[1, 0], [5, 8], [7, 7]], "float32")

    merged = merge_rows(values, rows_of([0, 0, 1], [3, 1, 9], 2), maximum=False)

    assert merged.tolist() == [[2, 2], [7, 7]]  # (3 · 1 + 5) / 4, (0 + 8) / 4


def test_the_greatest_of_the_rows_is_taken_and_may_be_negative():
    values = np.array([[-1, -9], [-5, -8], [7, 7]], "float32")

    merged = merge_rows(values, rows_of([0, 0, 2], [3, 1, 9], 3), maximum=True)

    assert merged.tolist() == [[-1, -8], [0, 0], [7, 7]]


@pytest.mark.parametrize("maximum", [True, False])
def test_stacked_layers_are_merged_each(maximum):
    values = np.array([[[1, 2]], [[3, 6]]], "float32")

    merged = merge_rows(values, rows_of([0, 0], [1, 1], 1), maximum=maximum)

    assert merged.tolist() == [[[3, 6]]] if maximum else [[[2, 4]]]
