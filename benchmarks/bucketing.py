"""Real tokens a second of fine-tuning on SST-2: batches by length, or all one length.

all-MiniLM-L6-v2, batch 32, bfloat16 products, AdamW; padding is no token. "All one
length" is that of the longest row of the set.
"""

import itertools
from collections.abc import Callable
from typing import Any

import keras
from timing import markdown, shared_folder, take_turns

import kbert

STEPS = 60


def measure(*, repetitions: int = 3) -> str:
    """The table, in Markdown."""
    task = kbert.Classification(glue="SST-2")
    folder = shared_folder() / "data" / "glue" / "SST-2"
    examples = task.read(str(folder / "train.tsv"))
    task = task.fitted(examples)
    source = kbert.load(
        shared_folder() / "models" / "minilm-l6-v2", dtype="mixed_bfloat16"
    )
    rows = task.rows(examples, source.tokenizer, max_length=128, training=True)
    batches = {
        name: list(
            itertools.islice(
                kbert.training_batches(rows, batch_size=32, seed=1, bucketed=bucketed),
                STEPS,
            )
        )
        for name, bucketed in (("by length", True), ("all one length", False))
    }
    runs = {name: _fit(source, own) for name, own in batches.items()}
    seconds = take_turns(runs, repetitions=repetitions)
    speeds = {name: _tokens(own) / seconds[name] for name, own in batches.items()}
    padding = {name: 1 - _tokens(own) / _places(own) for name, own in batches.items()}
    table = [
        [name, f"{speed:,.0f}", f"{padding[name]:.0%}", f"{speed / least:.2f}"]
        for least in [speeds["all one length"]]
        for name, speed in speeds.items()
    ]
    return markdown(["batches", "tokens/s", "padding", "all one length = 1"], table)


def _fit(source: kbert.Bert, batches: list[Any]) -> Callable[[], Any]:
    keras.utils.set_random_seed(0)
    bert = kbert.with_heads(source, {"sequence_classifier": 2})
    model = kbert.build_task_model(bert, "sequence_classifier")
    model.compile(kbert.AdamW(1e-6, bias_correction=True), jit_compile=False)

    def run() -> None:
        for x, y, weights in batches:
            model.train_on_batch(x, y, weights)

    return run


def _tokens(batches: list[Any]) -> int:
    return sum(int(x["padding_mask"].numpy().sum()) for x, _, _ in batches)


def _places(batches: list[Any]) -> int:
    return sum(x["padding_mask"].numpy().size for x, _, _ in batches)


if __name__ == "__main__":
    print(measure())
