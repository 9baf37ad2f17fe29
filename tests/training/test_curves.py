"""kbert/training/curves.py"""

import importlib.util

import pytest

from kbert.training import curves

PANELS = {"masked_lm_loss": "loss", "absent": "never measured"}
LINES = [
    {"step": 2, "masked_lm_loss": 3.5, "learning_rate": 0.25},
    {"step": 4, "learning_rate": 0.125},
    {"step": 6, "masked_lm_loss": 3.0, "evaluation_masked_lm_loss": 4.0},
]


@pytest.mark.plots
@pytest.mark.parametrize("lines", [LINES, LINES[:1]])
def test_a_picture_is_drawn_of_what_there_is(tmp_path, lines):
    curves.draw_curves(lines, tmp_path / "curves.png", panels=PANELS)

    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 1


def test_without_matplotlib_nothing_can_be_drawn(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    assert not curves.can_draw()
