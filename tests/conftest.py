"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and weights; a test that asks for it is real_data."""
    here = Path(__file__).resolve().parent.parent
    folder = Path(os.environ.get("KBERT_SHARED", here.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no {folder}: set KBERT_SHARED")
    return folder
