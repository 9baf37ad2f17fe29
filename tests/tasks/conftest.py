"""Fixtures for the tests of tasks."""

import pytest

from kbert import Tokenizer


@pytest.fixture(scope="session")
def tokenizer():
    """[CLS] is 2, [SEP] 3, a 5, b 6, c 7, d 8, e 9."""
    return Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcde"])


@pytest.fixture
def file(tmp_path):
    """A function that writes a file and gives its path."""

    def write(content, name="train.tsv"):
        (tmp_path / name).write_text(content, "utf-8")
        return str(tmp_path / name)

    return write
