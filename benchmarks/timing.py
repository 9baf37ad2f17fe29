"""Contenders that take turns, so that a busy machine is as unfair to each."""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def shared_folder() -> Path:
    """Where the data and weights are: ``KBERT_SHARED``, or beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    return Path(os.environ.get("KBERT_SHARED", beside))


def take_turns(
    contenders: Mapping[str, Callable[[], Any]], *, repetitions: int
) -> dict[str, float]:
    """Median seconds of each contender, after one round of warming up."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repetitions + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(own[1:]) for name, own in times.items()}


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
