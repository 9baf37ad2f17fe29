"""Texts a second: kbert's tokenizer beside the ``tokenizers`` library (Rust).

Both get the same list of str and the same vocabulary, are warmed up, use all cores, and
take turns. ``python benchmarks/tokenizer.py`` prints a Markdown table; the data is that
of ``KBERT_SHARED`` (default ``../shared`` beside the repository).
"""

import lzma
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

REPETITIONS = 7
LINES = 50_000
HERE = Path(__file__).resolve().parent.parent


def measure(shared: Path, *, repetitions: int = REPETITIONS) -> list[dict[str, Any]]:
    """Time both on each file.

    Returns:
        A row for each file: ``file``, ``texts``, ``words``, median and least seconds of
        each side, and ``ratio`` of the medians.
    """
    from tokenizers import BertWordPieceTokenizer

    from kbert import Tokenizer

    vocabulary = shared / "data/vocab/bert-base-uncased-vocab.txt"
    ours = Tokenizer(vocabulary)
    theirs = BertWordPieceTokenizer(str(vocabulary), lowercase=True)
    rows = []
    for name, texts in _files(shared):
        kbert_times, rust_times = _take_turns(
            lambda texts=texts: ours.tokenize(texts),
            lambda texts=texts: theirs.encode_batch(texts, add_special_tokens=False),
            repetitions,
        )
        rows.append(
            {
                "file": name,
                "texts": len(texts),
                "words": sum(len(text.split()) for text in texts),
                "kbert_median": statistics.median(kbert_times),
                "kbert_least": min(kbert_times),
                "tokenizers_median": statistics.median(rust_times),
                "tokenizers_least": min(rust_times),
                "ratio": statistics.median(rust_times) / statistics.median(kbert_times),
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of ``measure`` as a Markdown table."""
    lines = [
        "| file | texts | kbert texts/s | tokenizers texts/s | kbert words/s | ratio |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        ours, theirs = row["kbert_median"], row["tokenizers_median"]
        lines.append(
            f"| {row['file']} | {row['texts']:,} | {row['texts'] / ours:,.0f} "
            f"| {row['texts'] / theirs:,.0f} | {row['words'] / ours:,.0f} "
            f"| {row['ratio']:.1f} |"
        )
    return "\n".join(lines)


def _take_turns(
    one: Callable[[], Any], other: Callable[[], Any], repetitions: int
) -> tuple[list[float], list[float]]:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repetitions + 1):
        for run, its_times in zip((one, other), times, strict=True):
            start = time.perf_counter()
            run()
            its_times.append(time.perf_counter() - start)
    return times[0][1:], times[1][1:]  # the first round warms up


def _files(shared: Path) -> Iterator[tuple[str, list[str]]]:
    conll = (shared / "data/conll2003/train.txt").read_text("utf-8").split("\n\n")
    words = ([line.split(" ")[0] for line in block.split("\n")] for block in conll)
    yield "CoNLL-2003 train", [" ".join(sentence) for sentence in words]
    sst = (shared / "data/glue/SST-2/train.tsv").read_text("utf-8").split("\n")
    yield "SST-2 train", [line.split("\t")[0] for line in sst[1:] if line]
    yield "MASC", _lines(shared / "data/pretrain_en/masc.txt.xz")
    yield "Chinese laws", _lines(shared / "data/pretrain_zh/laws.txt.xz")


def _lines(path: Path) -> list[str]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file if line.strip()][:LINES]


if __name__ == "__main__":
    print(table(measure(Path(os.environ.get("KBERT_SHARED", HERE.parent / "shared")))))
