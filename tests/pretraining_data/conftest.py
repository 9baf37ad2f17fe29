"""Data made of a corpus in which every word stands once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numbered_corpus import NumberedCorpus, numbered_corpus

from kbert.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> NumberedCorpus:
    """60 documents of 1 to 15 sentences of 1 to 20 words; a few are far longer."""
    generator = np.random.default_rng(5)
    lengths = [
        generator.integers(1, 21, generator.integers(1, 16)).tolist() for _ in range(60)
    ]
    for number in (3, 17, 42):
        lengths[number].insert(0, 90)
    return numbered_corpus(tmp_path_factory.mktemp("corpus") / "corpus.txt", lengths)


@pytest.fixture(scope="session")
def make(corpus: NumberedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Make data of the corpus in this process, rows of 32 tokens unless told."""
    from kbert import PretrainingDataSettings, create_pretraining_data

    def run(
        output: Path | None = None,
        *,
        inputs: list[Path] | None = None,
        vocabulary: Vocabulary = corpus.vocabulary,
        workers: int = 1,
        how: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Any:
        if output is None:
            output = tmp_path_factory.mktemp("made") / "data"
        chosen = {
            "sequence_lengths": (32,),
            "already_split": True,
            "lowercase": False,
            "shards": 3,
            **settings,
        }
        return create_pretraining_data(
            [corpus.path] if inputs is None else inputs,
            output,
            vocabulary=vocabulary,
            settings=PretrainingDataSettings(**chosen),
            workers=workers,
            **(how or {}),
        )

    return run
