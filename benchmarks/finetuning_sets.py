"""The labelled sets that fine-tuning is measured on: where they are and the recipe."""

import json
from pathlib import Path
from typing import NamedTuple

from timing import shared_folder


class Set(NamedTuple):
    """A set and how both sides learn from it.

    Args:
        kind: of task, as ``kbert finetune`` calls it.
        train, dev: files below the data folder.
        test: one more to be scored on, after the clock was stopped.
        figures: the ones to compare, as the tasks call them.
        epochs, batch_size, learning_rate, max_length: of both sides.
        columns: of the table, from 0: first text, second text, label.
        header: whether its first line is one of names.
        articles: SQuAD: train and dev are one file, split by the titles in these.
        peer_groups: PyTorch's batches hold rows of about one length, as kbert's do.
    """

    kind: str
    train: str
    dev: str
    figures: tuple[str, ...]
    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 5e-5
    max_length: int = 128
    columns: tuple[int, int | None, int] = (0, None, 1)
    header: bool = True
    test: str | None = None
    articles: tuple[str, str] = ("articles.train.txt", "articles.test.txt")
    peer_groups: bool = False


SETS = {
    "sst2": Set(
        "classify",
        "glue/SST-2/train.tsv",
        "glue/SST-2/dev.tsv",
        ("accuracy",),
        epochs=1,
    ),
    "mrpc": Set(
        "classify",
        "glue/MRPC/train.tsv",
        "glue/MRPC/dev.tsv",
        ("accuracy", "f1"),
        columns=(3, 4, 0),
    ),
    "rte": Set(
        "classify",
        "glue/RTE/train.tsv",
        "glue/RTE/dev.tsv",
        ("accuracy",),
        columns=(1, 2, 3),
        max_length=256,
    ),
    "stsb": Set(
        "regress",
        "stsbenchmark/sts-train.csv",
        "stsbenchmark/sts-dev.csv",
        ("pearson", "spearman"),
        columns=(5, 6, 4),
        header=False,
    ),
    "conll2003": Set(
        "ner",
        "conll2003/train.txt",
        "conll2003/valid.txt",
        ("f1",),
        max_length=256,
        test="conll2003/test.txt",
    ),
    "wnut17": Set(
        "ner",
        "wnut17/wnut17train.conll",
        "wnut17/emerging.dev.conll",
        ("f1",),
        max_length=256,
    ),
    "codah": Set(
        "choice",
        "codah/fold_0.train.tsv",
        "codah/fold_0.dev.tsv",
        ("accuracy",),
        batch_size=16,
    ),
    "squad1": Set(
        "qa",
        "squad/dev-v1.1.json",
        "squad/dev-v1.1.json",
        ("exact", "f1"),
        epochs=1,
        batch_size=16,
        max_length=384,
        peer_groups=True,  # two to three times as fast, of runs of most of an hour
    ),
    "squad2": Set(
        "qa",
        "squad/dev-v2.0.rebuilt.json",
        "squad/dev-v2.0.rebuilt.json",
        ("exact", "f1"),
        epochs=1,
        batch_size=16,
        max_length=384,
        peer_groups=True,  # two to three times as fast, of runs of most of an hour
    ),
}


def test_file(name: str) -> Path | None:
    """The file that is scored besides the dev set."""
    test = SETS[name].test
    return None if test is None else shared_folder() / "data" / test


def files(name: str, folder: Path) -> tuple[Path, Path]:
    """The train and dev files of a set; those made by splitting go to ``folder``."""
    chosen, data = SETS[name], shared_folder() / "data"
    if chosen.kind != "qa":
        return data / chosen.train, data / chosen.dev
    content = json.loads((data / chosen.train).read_text("utf-8"))
    paths = []
    for part, titles in zip(("train", "dev"), chosen.articles, strict=True):
        wanted = set((data / "squad" / titles).read_text("utf-8").split("\n"))
        articles = [one for one in content["data"] if one["title"] in wanted]
        path = folder / f"{name}.{part}.json"
        path.write_text(json.dumps({**content, "data": articles}), "utf-8")
        paths.append(path)
    return paths[0], paths[1]
