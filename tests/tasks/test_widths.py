"""kbert/tasks/widths.py"""

import itertools

import numpy as np
import pytest

from kbert.tasks import widths
from kbert.tasks.widths import choose_widths, fitting_width


# By hand: two lengths cost one padding or one compilation, whichever is less.
@pytest.mark.parametrize(
    ("lengths", "batch_size", "expected"),
    [
        ([5], 4, (5,)),
        ([8] * 40, 4, (8,)),
        ([16, 3], 1, (16,)),  # 13 tokens of padding
        ([20] * 100 + [512] * 100, 10, (24, 512)),
        ([500] * 64, 32, (500,)),  # not more than the model may have
    ],
)
def test_a_width_is_worth_its_compilation(lengths, batch_size, expected):
    assert choose_widths(np.array(lengths), batch_size) == expected


def test_no_other_choice_costs_less(monkeypatch):
    monkeypatch.setattr(widths, "_COST", 150)
    lengths = np.random.default_rng(0).integers(1, 60, 50)
    candidates = [8, 16, 24, 32, 40, 48, 56, int(lengths.max())]
    longest = np.sort(lengths)[::-1][::4]

    def cost(chosen):
        padded = sum(fitting_width(chosen, one) for one in longest)
        return 4 * padded + 150 * len(chosen)

    every = [
        (*some, candidates[-1])
        for count in range(len(candidates))
        for some in itertools.combinations(candidates[:-1], count)
    ]
    found = choose_widths(lengths, 4)
    assert cost(found) == min(map(cost, every))
    assert 1 < len(found) < len(candidates)


def test_rows_get_the_smallest_width_that_holds_them():
    assert [fitting_width((8, 24), one) for one in (1, 8, 9, 24)] == [8, 8, 24, 24]
