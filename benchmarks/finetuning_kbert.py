"""One fine-tuning run of kbert: ``finetuning_kbert.py SET SEED`` prints JSON."""

import json
import sys
import tempfile
import time
from pathlib import Path

from finetuning_sets import SETS, Set, files, test_file
from timing import shared_folder

import kbert
from kbert.tasks import Task, task_class


def main() -> None:
    """Train and score; print the seconds from files to figures, and the figures."""
    name, seed = sys.argv[1], int(sys.argv[2])
    chosen = SETS[name]
    model = shared_folder() / "models" / "minilm-l6-v2"
    settings = kbert.FineTuningSettings(
        epochs=chosen.epochs,
        batch_size=chosen.batch_size,
        learning_rate=chosen.learning_rate,
        max_length=chosen.max_length,
        seed=seed,
        compute_dtype="bfloat16",
        keep="last",
        evaluate_every=10**9,  # at the end only, as the peer does
        save_every=10**9,
    )
    with tempfile.TemporaryDirectory() as folder:
        train, dev = files(name, Path(folder))
        start = time.perf_counter()
        run = kbert.finetune(
            _task(name, chosen),
            model,
            train=train,
            dev=dev,
            output=Path(folder) / "run",
            settings=settings,
        )
        seconds = time.perf_counter() - start
        figures = {figure: run.metrics["dev"][figure] for figure in chosen.figures}
        if (test := test_file(name)) is not None:
            scored = kbert.evaluate(run.path, test, compute_dtype="bfloat16")
            own = {f"test {figure}": scored.figures[figure] for figure in figures}
            figures |= own
    print(json.dumps({"seconds": seconds, "figures": figures}))


def _task(name: str, chosen: Set) -> Task:
    glue = {"sst2": "SST-2", "mrpc": "MRPC", "rte": "RTE", "stsb": "STS-B"}
    options = {"glue": glue[name]} if name in glue else {}
    return task_class(chosen.kind)(**options)


if __name__ == "__main__":
    main()
