"""Small data, a small model and short runs to pretrain it in."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *LETTERS]
LENGTH, OTHER_LENGTH = 16, 24
SIZES = {
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 12,
    "dropout": 0.1,
    "max_sequence_length": OTHER_LENGTH,
}


def make_data(folder: Path, *, tokens: list[str] = TOKENS, **choices: Any) -> Path:
    """Rows of a corpus of random letters, in two shards of each length."""
    from kbert import PretrainingDataSettings, Vocabulary, create_pretraining_data

    random = np.random.default_rng(4)
    sentences = [
        " ".join(random.choice([*LETTERS], random.integers(2, 7))) + "."
        for _ in range(160)
    ]
    documents = ["\n".join(sentences[start : start + 5]) for start in range(0, 160, 5)]
    folder.mkdir(parents=True)
    corpus = folder / "corpus.txt"
    corpus.write_text("\n\n".join(documents) + "\n")
    settings = {
        "sequence_lengths": (LENGTH, OTHER_LENGTH),
        "shards": 2,
        "evaluation_fraction": 0.2,
        "already_split": True,
        "lowercase": True,
        **choices,
    }
    create_pretraining_data(
        [corpus],
        folder / "data",
        vocabulary=Vocabulary.from_tokens(tokens),
        settings=PretrainingDataSettings(**settings),
        workers=1,
    )
    return folder / "data"


def config(**changes: Any) -> Any:
    """A model of one layer."""
    from kbert import BertConfig

    return BertConfig(vocabulary_size=len(TOKENS), **{**SIZES, **changes})


def settings(**changes: Any) -> Any:
    """Six steps at one length, a line and a checkpoint every two of them."""
    from kbert import PretrainingSettings
    from kbert.pretraining import Phase

    chosen = {
        "steps": 6,
        "batch_size": 4,
        "learning_rate": 0.01,
        "warmup_steps": min(2, changes.get("steps", 6)),
        "dropout": 0.3,
        "log_every": 2,
        "save_every": 2,
        "evaluate_every": 6,
        "phases": (Phase(LENGTH, 1.0),),
        "seed": 5,
        **changes,
    }
    return PretrainingSettings(**chosen)


def read_lines(run: Path) -> list[dict[str, Any]]:
    """The lines of the log, which have to be strict JSON."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    lines = (run / "log.jsonl").read_text().splitlines()
    return [json.loads(line, parse_constant=refuse) for line in lines]


def checkpoint_names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def digests(run: Path) -> dict[str, str]:
    """SHA-256 of all that has to be the same, however often a run was killed."""
    kept = [run / "log.jsonl", run / "run.json", *(run / "model").rglob("*")]
    kept += (run / "checkpoints").rglob("*")
    return {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(kept)
        if path.is_file()
    }
