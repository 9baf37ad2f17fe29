"""cli/options.py"""

import io
import sys
import warnings

import click
import pytest

from kbert import KbertWarning
from kbert.cli.options import (
    Several,
    StepBar,
    show_figures,
    warnings_in_one_line,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_shows_step_figures_and_speed_on_a_terminal(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with StepBar() as bar:
        for step in (4, 5, 6):  # a resumed run
            bar.advance(step, 10, tokens=1000, figures=lambda: {"loss": "2.500"})
        assert bar._bar.n == 6
    text = screen.getvalue()

    assert "6/10" in text or "5/10" in text or "4/10" in text
    assert "loss=2.500" in text
    assert "tokens/s=" in text


def test_a_warning_is_told_once_in_a_command(capsys):
    for _ in range(2):
        with warnings_in_one_line():
            for text in ("2 words are nothing", "3 words are nothing") * 2:
                warnings.warn(text, KbertWarning, stacklevel=1)

    lines = capsys.readouterr().err.splitlines()
    assert lines == ["2 words are nothing", "3 words are nothing"] * 2


def test_the_bar_begins_anew_with_the_steps(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with StepBar() as bar:
        for step in (1, 2, 3):
            bar.advance(step, 3, tokens=1, figures=dict)
        bar.advance(1, 7, tokens=1, figures=dict)

        assert (bar._bar.n, bar._bar.total) == (1, 7)


def test_a_file_gets_no_bar(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    with StepBar() as bar:
        bar.advance(1, 10, tokens=1000, figures=lambda: 1 / 0)

    assert screen.getvalue() == ""


def test_several_values_stand_between_commas():
    rates = Several(click.FLOAT)

    assert rates.convert("2e-5,3e-5", None, None) == (2e-5, 3e-5)
    assert rates.convert("2e-5", None, None) == (2e-5,)
    with pytest.raises(click.BadParameter, match="'fast' is not a valid float"):
        rates.convert("2e-5,fast", None, None)


def test_figures_are_one_a_line_by_name(capsys):
    show_figures({"f1": 0.91238, "total": 12})
    assert capsys.readouterr().out == "f1\t0.9124\ntotal\t12\n"

    show_figures({"f1": 0.5}, deviations={"f1": 0.01234})
    assert capsys.readouterr().out == "f1\t0.5000\t± 0.0123\n"
