"""Fixtures for the tests of commands."""

import sys

import pytest


@pytest.fixture
def no_matplotlib(monkeypatch):
    """As if the extra [plots] were not installed."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
