"""Small labelled files, a small model and short runs to fine-tune it in."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *LETTERS]
SIZES = {
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 24,
    "dropout": 0.1,
    "max_sequence_length": 24,
}


def make_model(folder: Path, **changes: Any) -> Path:
    """A model directory with random weights, so large that it learns soon."""
    import keras

    import kbert
    from kbert.model import model_variables

    keras.utils.set_random_seed(3)
    config = kbert.BertConfig(vocabulary_size=len(TOKENS), **{**SIZES, **changes})
    tokenizer = kbert.Tokenizer(kbert.Vocabulary.from_tokens(TOKENS), lowercase=True)
    bert = kbert.new_bert(config, tokenizer=tokenizer)
    for variable in model_variables(bert).values():
        if len(variable.shape) > 1:
            variable.assign(10 * variable.numpy())
    kbert.save(bert, folder)
    return folder


def write_table(path: Path, rows: int, *, seed: int, separable: bool = True) -> Path:
    """Random letters; ``yes`` if z is among them, or else a label by chance."""
    random = np.random.default_rng(seed)
    lines = ["text\tlabel"]
    for _ in range(rows):
        letters = [*random.choice([*LETTERS[:-1]], random.integers(2, 9))]
        if random.random() < 0.5:
            letters[random.integers(len(letters))] = "z"
        label = "z" in letters if separable else random.random() < 0.5
        lines.append(f"{' '.join(letters)}\t{'yes' if label else 'no'}")
    path.write_text("\n".join(lines) + "\n")
    return path


def settings(**changes: Any) -> Any:
    """Six steps in two epochs, a line and a checkpoint every two of them."""
    from kbert import FineTuningSettings

    chosen = {
        "epochs": 2,
        "batch_size": 4,
        "learning_rate": 0.01,
        "dropout": 0.3,
        "log_every": 2,
        "save_every": 2,
        "seed": 5,
        **changes,
    }
    return FineTuningSettings(**chosen)


def read_lines(run: Path) -> list[dict[str, Any]]:
    """The lines of the log, which have to be strict JSON."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    lines = (run / "log.jsonl").read_text().splitlines()
    return [json.loads(line, parse_constant=refuse) for line in lines]


def digests(run: Path) -> dict[str, str]:
    """SHA-256 of all that has to be the same, however often a run was killed."""
    kept = [run / name for name in ("log.jsonl", "run.json", "metrics.json")]
    kept += [*(run / "model").rglob("*"), *(run / "dev").rglob("*.tsv")]
    return {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(kept)
        if path.is_file()
    }


def assert_same_guesses(path: Path, other: Path) -> None:
    """Compare two tables of a classifier: the same labels, probabilities to rounding.

    Gold labels may be missing in one. The frozen graph rounds otherwise than the model.
    """
    rows, others = (
        [line.split("\t")[-3:] for line in one.read_text().splitlines()]
        for one in (path, other)
    )
    assert len(rows) == len(others) > 1
    assert rows[0] == others[0] == ["label", "probability:no", "probability:yes"]
    for row, reference in zip(rows[1:], others[1:], strict=True):
        assert row[0] == reference[0]
        for one, two in zip(row[1:], reference[1:], strict=True):
            np.testing.assert_allclose(float(one), float(two), atol=1e-5)
