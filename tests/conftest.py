"""Fixtures for all tests."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "dog", "cat", "sat", "on", "mat", "##ing", "run", "中", "国"]
TOKENS = [*SPECIAL, *WORDS, *LETTERS, *(f"##{one}" for one in LETTERS), *"-.,!?"]

# What the marks of tests stand for, and the extra that brings it.
NEEDED = {
    "oracle": ("sentence_transformers", "seqeval", "torch", "transformers"),
    "jax": ("jax",),
    "plots": ("matplotlib",),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what compares with a package that is not installed, and say which."""
    for mark, packages in NEEDED.items():
        missing = [name for name in packages if importlib.util.find_spec(name) is None]
        skip = pytest.mark.skip(reason=f"no {', '.join(missing)}: extra [{mark}]")
        for item in items if missing else []:
            if item.get_closest_marker(mark):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and weights; a test that asks for it is real_data."""
    here = Path(__file__).resolve().parent.parent
    folder = Path(os.environ.get("KBERT_SHARED", here.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no {folder}: set KBERT_SHARED")
    return folder


@pytest.fixture(scope="session")
def tiny_config() -> Any:
    """A config whose sizes are small and all different."""
    from kbert.config import BertConfig

    return BertConfig(
        vocabulary_size=37,
        num_layers=4,
        num_heads=2,
        hidden_dim=12,
        intermediate_dim=20,
        max_sequence_length=16,
        num_segments=3,
    )


@pytest.fixture(scope="session")
def randomize() -> Any:
    """Fill every weight of a model or layer with random numbers, biases included.

    Fresh zeros and ones would hide a bias that is never added. The widths make every
    part matter: attention is not uniform, and GELU is not linear.
    """

    def fill(model: Any, seed: int = 0) -> Any:
        generator = np.random.default_rng(seed)
        for weight in model.weights:
            centre = 1.0 if weight.path.endswith("/gamma") else 0.0
            weight.assign(generator.normal(centre, 0.3, weight.shape))
        return model

    return fill


@pytest.fixture(scope="session")
def tiny_encoder(tiny_config: Any, randomize: Any) -> Any:
    """An encoder of ``tiny_config`` with attention weights; tests never change it."""
    from kbert.encoder import build_encoder

    return randomize(build_encoder(tiny_config, attention_weights=True))


@pytest.fixture(scope="session")
def tiny_bert(randomize: Any) -> Any:
    """Three layers of 12, at most 16 tokens.

    A word of a to z has pieces, if need be letter by letter; most others are [UNK].
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


@pytest.fixture
def tiny_inputs(tiny_config: Any) -> dict[str, np.ndarray]:
    """Four texts of 7, 5, 1 and 0 tokens, [B, T] = [4, 7]."""
    return random_inputs(tiny_config, lengths=(7, 5, 1, 0))


def random_inputs(config: Any, lengths: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Random ids, at padding too, with every id and segment within its table."""
    generator = np.random.default_rng(1)
    shape = (len(lengths), max(lengths))
    return {
        "token_ids": generator.integers(0, config.vocabulary_size, shape, "int32"),
        "segment_ids": generator.integers(0, config.num_segments, shape, "int32"),
        "padding_mask": np.arange(shape[1])[None] < np.array(lengths)[:, None],
    }
