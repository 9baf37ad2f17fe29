"""What pretraining gave kbert-mini: beside the same architecture with random weights.

CoNLL-2003 dev, entity F1, sentence by sentence: a logistic regression on frozen word
vectors (last four layers concatenated; layer 0 alone), and fine-tuning; SST-2 dev
accuracy after one epoch; MRPC dev accuracy and F1. Mean ± standard deviation of three
seeds: of the weights where they are random, and of the heads, order and dropout.
Every figure has the same recipe on both sides. Needs seqeval and ``KBERT_SHARED``.

``python benchmarks/bundled_model.py MODEL [frozen] [conll2003] [sst2] [mrpc]``
"""

import csv
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from timing import markdown, shared_folder

import kbert
from kbert.heads import build_head

SEEDS = (1, 2, 3)
LEARNING_RATE = 3e-4
IGNORED = -1


class Task(NamedTuple):
    """A labelled set: token ids, segment ids and labels of each example."""

    train: list[tuple[list[int], list[int], Any]]
    dev: list[tuple[list[int], list[int], Any]]
    classes: int
    epochs: int
    score: Callable[[list[np.ndarray]], dict[str, float]]


def main() -> None:
    """Measure the parts named on the command line, all by default."""
    model, *parts = sys.argv[1:]
    bert = kbert.load(model, dtype="mixed_bfloat16")
    rows = []
    for part in parts or ["frozen", "conll2003", "sst2", "mrpc"]:
        for name, figures in _PARTS[part](bert).items():
            for metric in figures[0]:
                values = [100 * one[metric] for one in figures]
                spread = statistics.stdev(values) if len(values) > 1 else 0.0
                shown = " ".join(f"{value:.2f}" for value in values)
                mean = f"{statistics.mean(values):.2f} ± {spread:.2f}"
                rows.append([f"{part}: {name}, {metric}", mean, shown])
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(markdown(["", "mean ± sd", "seeds"], rows))


# === Frozen ===


def _frozen(bert: kbert.Bert) -> dict[str, list[dict[str, float]]]:
    folder = shared_folder() / "data" / "conll2003"
    train, dev = _conll(folder / "train.txt"), _conll(folder / "valid.txt")
    figures = {
        "pretrained, last four layers": [_probe(bert, "-4:", train, dev)],
        "pretrained, layer 0": [_probe(bert, "0", train, dev)],
        "random, last four layers": [],
    }
    for seed in SEEDS:
        figures["random, last four layers"].append(
            _probe(_random_like(bert, seed), "-4:", train, dev)
        )
    return figures


def _probe(bert: kbert.Bert, layers: str, train: Any, dev: Any) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    extractor = kbert.FeatureExtractor(bert, layers=layers)

    def features(sentences: Any) -> np.ndarray:
        words = [words for words, _ in sentences]
        return np.concatenate(extractor.fit(words).transform_words(words))

    def tags(sentences: Any) -> list[str]:
        return [tag for _, own in sentences for tag in own]

    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    classifier.fit(features(train), tags(train))
    guesses = iter(classifier.predict(features(dev)))
    guessed = [[next(guesses) for _ in own] for _, own in dev]
    return {"F1": _entity_f1([own for _, own in dev], guessed)}


# === Fine-tuning ===


def _fine_tuned(
    bert: kbert.Bert, task: Task, head: str
) -> dict[str, list[dict[str, float]]]:
    return {
        name: [_fine_tune(start(seed), task, head, seed) for seed in SEEDS]
        for name, start in (
            ("pretrained", lambda seed: _copy(bert)),
            ("random", lambda seed: _random_like(bert, seed)),
        )
    }


def _fine_tune(bert: kbert.Bert, task: Task, head: str, seed: int) -> dict[str, float]:
    keras.utils.set_random_seed(seed)
    layer = build_head(head, bert.encoder, bert.config, units=task.classes)
    source = "pooled_output" if head == "sequence_classifier" else "sequence_output"
    model = keras.Model(
        bert.encoder.input, layer(bert.encoder.output[source]), name="task"
    )
    steps = sum(1 for _ in _batches(task.train, seed)) * task.epochs
    rate = kbert.LearningRate(LEARNING_RATE, steps=steps, warmup_steps=steps // 10)
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=IGNORED
    )
    model.compile(kbert.AdamW(rate, bias_correction=True), loss, jit_compile=False)
    for epoch in range(task.epochs):
        for x, y, _ in _batches(task.train, 1000 * seed + epoch):
            model.train_on_batch(x, y)
    guesses: dict[int, np.ndarray] = {}
    for x, _, places in _batches(task.dev, None):
        scores = model.predict_on_batch(x)
        guesses |= {place: scores[row] for row, place in enumerate(places)}
    return task.score([guesses[place] for place in range(len(task.dev))])


def _batches(
    examples: Sequence[Any], seed: int | None, size: int = 32
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray, list[int]]]:
    """Batches of one of few lengths each, in a random order; all rows, once."""
    buckets: dict[int, list[int]] = {}
    order = np.arange(len(examples))
    rng = np.random.default_rng(seed)
    if seed is not None:
        rng.shuffle(order)
    for place in order:
        length = len(examples[place][0])
        fitting = next(limit for limit in (16, 32, 64, 128) if length <= limit)
        buckets.setdefault(fitting, []).append(int(place))
    batches = [
        (length, places[start : start + size])
        for length, places in buckets.items()
        for start in range(0, len(places), size)
    ]
    if seed is not None:
        rng.shuffle(batches)
    for length, places in batches:
        yield *_padded([examples[place] for place in places], length), places


def _padded(
    rows: Sequence[Any], length: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    def block(values: Sequence[Sequence[int]], filler: int) -> np.ndarray:
        return np.array(
            [[*own, *[filler] * (length - len(own))] for own in values], "int32"
        )

    ids = [ids for ids, _, _ in rows]
    x = {
        "token_ids": block(ids, 0),
        "segment_ids": block([segments for _, segments, _ in rows], 0),
        "padding_mask": block([[1] * len(own) for own in ids], 0).astype(bool),
    }
    labels = [label for _, _, label in rows]
    tagging = isinstance(labels[0], list)
    return x, block(labels, IGNORED) if tagging else np.array(labels, "int32")


# === Data ===


def _sst2(bert: kbert.Bert) -> dict[str, list[dict[str, float]]]:
    folder = shared_folder() / "data" / "glue" / "SST-2"
    train, dev = (_table(folder / name) for name in ("train.tsv", "dev.tsv"))
    task = _sentences(
        bert, *([([row[0]], int(row[1])) for row in part] for part in (train, dev)), 1
    )
    return _fine_tuned(bert, task, "sequence_classifier")


def _mrpc(bert: kbert.Bert) -> dict[str, list[dict[str, float]]]:
    folder = shared_folder() / "data" / "glue" / "MRPC"
    train, dev = (_table(folder / name) for name in ("train.tsv", "dev.tsv"))
    task = _sentences(
        bert, *([(row[3:5], int(row[0])) for row in part] for part in (train, dev)), 5
    )
    return _fine_tuned(bert, task, "sequence_classifier")


def _table(path: Path) -> list[list[str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]


def _sentences(bert: kbert.Bert, train: Any, dev: Any, epochs: int) -> Task:
    from sklearn.metrics import f1_score

    gold = np.array([label for _, label in dev])

    def score(logits: list[np.ndarray]) -> dict[str, float]:
        guessed = np.argmax(logits, axis=-1)
        return {
            "accuracy": float(np.mean(guessed == gold)),
            "F1": float(f1_score(gold, guessed)),
        }

    parts = [_encoded(bert, part) for part in (train, dev)]
    return Task(*parts, classes=2, epochs=epochs, score=score)


def _encoded(bert: kbert.Bert, rows: Any) -> list[tuple[list[int], list[int], int]]:
    first = [texts[0] for texts, _ in rows]
    second = [texts[1] for texts, _ in rows] if len(rows[0][0]) > 1 else None
    longest = bert.config.max_sequence_length
    examples = []
    for start in range(0, len(rows), 4096):
        part = slice(start, start + 4096)
        inputs = bert.tokenizer(
            first[part], second[part] if second else None, max_length=longest
        )
        ids, segments, mask = (
            inputs[name].numpy()
            for name in ("token_ids", "segment_ids", "padding_mask")
        )
        examples += [
            (ids[row][mask[row]].tolist(), segments[row][mask[row]].tolist(), label)
            for row, (_, label) in enumerate(rows[part])
        ]
    return examples


def _conll(path: Path) -> list[tuple[list[str], list[str]]]:
    sentences: list[tuple[list[str], list[str]]] = []
    words: list[str] = []
    tags: list[str] = []
    for line in [*path.read_text("utf-8").splitlines(), ""]:
        if line and not line.startswith("-DOCSTART-"):
            parts = line.split()
            words.append(parts[0])
            tags.append(parts[-1])
        elif words:
            sentences.append((words, tags))
            words, tags = [], []
    return sentences


def _conll2003(bert: kbert.Bert) -> dict[str, list[dict[str, float]]]:
    folder = shared_folder() / "data" / "conll2003"
    train, dev = _conll(folder / "train.txt"), _conll(folder / "valid.txt")
    names = sorted({tag for _, tags in train for tag in tags})
    gold = [tags for _, tags in dev]
    train_rows, _ = _tagged(bert, train, names)
    dev_rows, firsts = _tagged(bert, dev, names)

    def score(logits: list[np.ndarray]) -> dict[str, float]:
        # A sentence longer than the model: what it does not see is tagged O.
        guessed = [
            [names[np.argmax(own[place])] if place is not None else "O" for place in at]
            for own, at in zip(logits, firsts, strict=True)
        ]
        return {"F1": _entity_f1(gold, guessed)}

    task = Task(train_rows, dev_rows, classes=len(names), epochs=3, score=score)
    return _fine_tuned(bert, task, "token_classifier")


def _tagged(
    bert: kbert.Bert, sentences: Any, names: list[str]
) -> tuple[list[tuple[list[int], list[int], list[int]]], list[list[int | None]]]:
    """Rows with the label on each word's first piece, and where those pieces are."""
    words = bert.tokenizer.vocabulary
    longest = bert.config.max_sequence_length
    rows, firsts = [], []
    for own, tags in sentences:
        ids, splits = bert.tokenizer.encode_words(own)
        at = [1 + int(start) for start in splits[:-1]]
        row = [words.cls_id, *ids.tolist()[: longest - 2], words.sep_id]
        labels = [IGNORED] * len(row)
        for place, tag in zip(at, tags, strict=True):
            if place < len(row) - 1:
                labels[place] = names.index(tag)
        rows.append((row, [0] * len(row), labels))
        firsts.append([place if place < len(row) - 1 else None for place in at])
    return rows, firsts


def _entity_f1(gold: list[list[str]], guessed: list[list[str]]) -> float:
    from seqeval.metrics import f1_score

    return float(f1_score(gold, [[str(tag) for tag in own] for own in guessed]))


# === Models ===


def _random_like(bert: kbert.Bert, seed: int) -> kbert.Bert:
    keras.utils.set_random_seed(seed)
    return kbert.new_bert(bert.config, tokenizer=bert.tokenizer, dtype="mixed_bfloat16")


def _copy(bert: kbert.Bert) -> kbert.Bert:
    copy = _random_like(bert, 0)
    for old, new in zip(bert.encoder.weights, copy.encoder.weights, strict=True):
        new.assign(old)
    return copy


_PARTS = {"frozen": _frozen, "conll2003": _conll2003, "sst2": _sst2, "mrpc": _mrpc}

if __name__ == "__main__":
    main()
