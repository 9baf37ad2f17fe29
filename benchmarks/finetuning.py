"""Fine-tuning all-MiniLM-L6-v2: kbert beside PyTorch and transformers, dev figures.

Same recipe on both sides: AdamW with bias correction, decay 0.01, warm-up 10 %, linear
decay, gradient norm 1, bfloat16 products; mean ± standard deviation over seeds. Times
are from files to figures, without imports; the sides take turns, a process each run.

``python benchmarks/finetuning.py [OPTIONS] [SET]...``, see finetuning_sets.py. Runs
kept in the file of ``--runs`` are not made again, so that sets of an hour and more may
be measured in parts.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from finetuning_sets import SETS
from timing import markdown

HERE = Path(__file__).resolve().parent
SIDES = ("kbert", "peer")


@click.command()
@click.option("--seeds", default=3, show_default=True, help="How many.")
@click.option("--first-seed", default=1, show_default=True)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    help="What was measured, a line each run: read, then added to.",
)
@click.argument("names", nargs=-1, type=click.Choice(list(SETS)))
def main(
    seeds: int, first_seed: int, runs: Path | None, names: tuple[str, ...]
) -> None:
    """Print a table: a row for each figure of each set."""
    own = range(first_seed, first_seed + seeds)
    rows = [row for name in names or SETS for row in _measured(name, own, runs)]
    head = ["set, figure", "kbert", "PyTorch", "difference", "time, PyTorch = 1"]
    print(markdown(head, rows))


def _measured(name: str, seeds: range, kept: Path | None) -> list[list[str]]:
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for seed in seeds:
        for side in SIDES:
            runs[side].append(_kept(kept, name, seed, side))
    times = [sum(one["seconds"] for one in runs[side]) for side in SIDES]
    rows = []
    for figure in runs["kbert"][0]["figures"]:
        values = [[_percent(one, figure) for one in runs[side]] for side in SIDES]
        means = [statistics.mean(own) for own in values]
        spreads = [statistics.stdev(own) if len(seeds) > 1 else 0.0 for own in values]
        rows.append(
            [
                f"{name}, {figure}",
                *(
                    f"{mean:.2f} ± {spread:.2f}"
                    for mean, spread in zip(means, spreads, strict=True)
                ),
                f"{means[0] - means[1]:+.2f}",
                f"{times[0] / times[1]:.2f}",
            ]
        )
    return rows


def _percent(run: dict[str, Any], figure: str) -> float:
    value = run["figures"][figure]
    return value if figure == "exact" or value > 1 else 100 * value


def _kept(kept: Path | None, name: str, seed: int, side: str) -> dict[str, Any]:
    """The run as the file has it; else made now, told, and added to the file."""
    own = {"set": name, "seed": seed, "side": side}
    lines = kept.read_text("utf-8").splitlines() if kept and kept.exists() else []
    for run in map(json.loads, lines):
        if own.items() <= run.items():
            return run
    run = own | _run(side, name, seed)
    print(json.dumps(run), file=sys.stderr)
    if kept:
        with open(kept, "a", encoding="utf-8") as file:
            print(json.dumps(run), file=file)
    return run


def _run(side: str, name: str, seed: int) -> dict[str, Any]:
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(HERE / f"finetuning_{side}.py"), name, str(seed)]
    done = subprocess.run(
        command, env=quiet, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
