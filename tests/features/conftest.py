"""Fixtures for the tests of features: a tiny model with a vocabulary."""

from pathlib import Path
from typing import Any

import pytest

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "dog", "cat", "sat", "on", "mat", "##ing", "run", "中", "国"]
TOKENS = [*SPECIAL, *WORDS, *LETTERS, *(f"##{one}" for one in LETTERS), *"-.,!?"]


@pytest.fixture(scope="session")
def tiny_bert(randomize: Any) -> Any:
    """Three layers of 12, at most 16 tokens; words outside TOKENS' letters are [UNK].

    Any word of a to z has pieces: whole words above, else letter by letter.
    """
    from kbert import Bert, BertConfig, Tokenizer, build_encoder

    config = BertConfig(
        vocabulary_size=len(TOKENS),
        num_layers=3,
        num_heads=2,
        hidden_dim=12,
        intermediate_dim=20,
        max_sequence_length=16,
    )
    encoder = randomize(build_encoder(config))
    return Bert(config=config, encoder=encoder, tokenizer=Tokenizer(TOKENS))


@pytest.fixture(scope="session")
def tiny_model(tiny_bert: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of ``tiny_bert``."""
    import kbert

    folder = tmp_path_factory.mktemp("model") / "tiny"
    kbert.save(tiny_bert, folder)
    return folder


@pytest.fixture(scope="session")
def minilm(shared: Path) -> Any:
    """The real model."""
    import kbert

    return kbert.load(shared / "models" / "minilm-l6-v2")
