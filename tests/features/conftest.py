"""Fixtures for the tests of extraction: some lines, and engines of the tiny model."""

import random

import pytest

from kbert import FeatureSettings
from kbert.features.engine import FeatureEngine

VOCABULARY = ["the", "dog", "cats", "sat", "on", "mats", "running", "zebra", "ß"]


@pytest.fixture(scope="session")
def random_lines():
    """Text of so many lines; about one in fifteen is empty and ends a document."""

    def make(count, seed=0):
        choose = random.Random(seed)
        lines = (
            " ".join(choose.choices(VOCABULARY, k=choose.randint(0, 14)))
            for _ in range(count)
        )
        return "".join(f"{line}\n" for line in lines)

    return make


@pytest.fixture(scope="session")
def lines(random_lines, tmp_path_factory):
    """A file of 150 such lines."""
    path = tmp_path_factory.mktemp("input") / "lines.txt"
    path.write_text(random_lines(150))
    return path


@pytest.fixture(scope="session")
def engine(tiny_bert):
    """Gives the engine of some settings; each is made once."""
    made = {}

    def get(**choices):
        key = str(choices)
        if key not in made:
            made[key] = FeatureEngine(tiny_bert, FeatureSettings(**choices))
        return made[key]

    return get
