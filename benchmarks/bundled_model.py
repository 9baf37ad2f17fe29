"""What pretraining gave kbert-mini: beside the same architecture with random weights.

CoNLL-2003 dev, entity F1, sentence by sentence: a logistic regression on frozen word
vectors (last four layers concatenated; layer 0 alone), and fine-tuning; SST-2 dev
accuracy after one epoch; MRPC dev accuracy and F1. Mean ± standard deviation of three
seeds: of the weights where they are random, and of the heads, order and dropout.
Every figure has the same recipe on both sides. Needs ``KBERT_SHARED``.

``sst2-2000`` learns from the first 2,000 phrases of SST-2 only: there pretraining can
show what 67,000 labels hide.

``python benchmarks/bundled_model.py MODEL [PART]... [--learning-rate RATE]``; a part is
``frozen`` or a set.
"""

import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import keras
import numpy as np
from timing import markdown, shared_folder

import kbert
from kbert.metrics.entities import score_entities
from kbert.tasks import Task

SEEDS = (1, 2, 3)
Figures = dict[str, list[dict[str, float]]]  # by what was measured, one a seed


class Set(NamedTuple):
    """A labelled set, and how long both sides learn from it.

    ``rows`` is how many of its rows, the first ones; None for all of them.
    """

    task: Task
    folder: str
    train: str
    dev: str
    epochs: int
    figures: tuple[str, ...]
    rows: int | None = None


SETS = {
    "conll2003": Set(
        kbert.Tagging(), "conll2003", "train.txt", "valid.txt", 3, ("f1",)
    ),
    "sst2": Set(
        kbert.Classification(glue="SST-2"),
        "glue/SST-2",
        "train.tsv",
        "dev.tsv",
        1,
        ("accuracy",),
    ),
    "sst2-2000": Set(
        kbert.Classification(glue="SST-2"),
        "glue/SST-2",
        "train.tsv",
        "dev.tsv",
        3,
        ("accuracy",),
        rows=2000,
    ),
    "mrpc": Set(
        kbert.Classification(glue="MRPC"),
        "glue/MRPC",
        "train.tsv",
        "dev.tsv",
        5,
        ("accuracy", "f1"),
    ),
}


@click.command()
@click.argument("model")
@click.argument("parts", nargs=-1, type=click.Choice(["frozen", *SETS]))
@click.option("--learning-rate", default=3e-4, show_default=True)
def main(model: str, parts: tuple[str, ...], learning_rate: float) -> None:
    """Print a table: a row for each figure of each part, of all parts by default."""
    rows = []
    for part in parts or ("frozen", *SETS):
        if part == "frozen":
            found = _frozen(model)
        else:
            found = _fine_tuned(model, SETS[part], learning_rate)
        for name, figures in found.items():
            for figure in figures[0]:
                values = [100 * one[figure] for one in figures]
                spread = statistics.stdev(values) if len(values) > 1 else 0.0
                shown = " ".join(f"{value:.2f}" for value in values)
                mean = f"{statistics.mean(values):.2f} ± {spread:.2f}"
                rows.append([f"{part}: {name}, {figure}", mean, shown])
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(markdown(["", "mean ± sd", "seeds"], rows))


def _fine_tuned(model: str, chosen: Set, learning_rate: float) -> Figures:
    found: Figures = {"pretrained": [], "random": []}
    data = shared_folder() / "data" / chosen.folder
    for seed in SEEDS:
        settings = kbert.FineTuningSettings(
            epochs=chosen.epochs,
            learning_rate=learning_rate,
            seed=seed,
            compute_dtype="bfloat16",
            keep="last",
        )
        with tempfile.TemporaryDirectory() as folder:
            train = _first_rows(data / chosen.train, chosen.rows, Path(folder))
            random = Path(folder) / "random"
            kbert.save(_random_like(kbert.load(model), seed), random)
            for name, source in (("pretrained", model), ("random", random)):
                run = kbert.finetune(
                    chosen.task,
                    source,
                    train=train,
                    dev=data / chosen.dev,
                    output=Path(folder) / "run",
                    settings=settings,
                    overwrite=True,
                )
                dev = run.metrics["dev"]
                found[name].append({figure: dev[figure] for figure in chosen.figures})
                print(name, seed, found[name][-1], file=sys.stderr, flush=True)
    return found


def _first_rows(path: Path, rows: int | None, folder: Path) -> Path:
    """A table with its header and first rows; the file itself if all are wanted."""
    if rows is None:
        return path
    with open(path, encoding="utf-8", newline="") as file:
        lines = list(itertools.islice(file, rows + 1))
    short = folder / path.name
    short.write_text("".join(lines), "utf-8")
    return short


def _frozen(model: str) -> Figures:
    bert = kbert.load(model, dtype="mixed_bfloat16")
    task = kbert.Tagging()
    folder = shared_folder() / "data" / "conll2003"
    train, dev = (task.read(str(folder / name)) for name in ("train.txt", "valid.txt"))
    return {
        "pretrained, last four layers": [_probe(bert, "-4:", train, dev)],
        "pretrained, layer 0": [_probe(bert, "0", train, dev)],
        "random, last four layers": [
            _probe(_random_like(bert, seed), "-4:", train, dev) for seed in SEEDS
        ],
    }


def _probe(
    bert: kbert.Bert, layers: str, train: Sequence[Any], dev: Sequence[Any]
) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    extractor = kbert.FeatureExtractor(bert, layers=layers)

    def features(sentences: Sequence[Any]) -> np.ndarray:
        words = [one.words for one in sentences]
        return np.concatenate(extractor.transform_words(words))

    tags = [tag for one in train for tag in one.tags]
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    classifier.fit(features(train), tags)
    guesses = iter(classifier.predict(features(dev)))
    guessed = [[str(next(guesses)) for _ in one.tags] for one in dev]
    scores = score_entities([one.tags for one in dev], guessed, "iob2")
    return {"f1": scores.overall.f1}


def _random_like(bert: kbert.Bert, seed: int) -> kbert.Bert:
    keras.utils.set_random_seed(seed)
    dtype = bert.encoder.get_layer("embeddings").dtype_policy.name
    return kbert.new_bert(bert.config, tokenizer=bert.tokenizer, dtype=dtype)


if __name__ == "__main__":
    main()
