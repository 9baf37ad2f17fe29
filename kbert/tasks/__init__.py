"""Tasks: files → examples → rows for the model; its outputs → guesses → figures."""

from importlib import import_module
from typing import Any

from ..errors import CheckpointError, ConfigError
from ..model import Bert
from .batches import row_outputs, steps_per_epoch, training_batches
from .rows import Column, Rows
from .task import Task

__all__ = [
    "TASKS",
    "Column",
    "Rows",
    "Task",
    "row_outputs",
    "steps_per_epoch",
    "task_class",
    "task_of",
    "training_batches",
]

# Where the class of each kind of task is.
TASKS = {
    "classify": ("classification", "Classification"),
    "regress": ("regression", "Regression"),
    "ner": ("tagging", "Tagging"),
    "qa": ("squad", "QuestionAnswering"),
    "choice": ("choice", "MultipleChoice"),
}


def task_class(kind: str) -> type[Any]:
    """The class of a kind of task, which is a ``Task``.

    Raises:
        ConfigError: no key of ``TASKS``.
    """
    if kind not in TASKS:
        raise ConfigError(f"task {kind!r}", expected=f"one of {', '.join(TASKS)}")
    module, name = TASKS[kind]
    return getattr(import_module(f".{module}", __name__), name)


def task_of(bert: Bert) -> Task:
    """The task that a model was fine-tuned for.

    Raises:
        CheckpointError: it was fine-tuned for none.
    """
    fields = bert.training.get("task")
    if not isinstance(fields, dict) or fields.get("kind") not in TASKS:
        raise CheckpointError(
            "the model says of no task that it was fine-tuned for it",
            expected='"task" in its training.json',
            hint="Use the model directory of a kbert finetune run.",
        )
    options = {name: value for name, value in fields.items() if name != "kind"}
    return task_class(fields["kind"]).from_dict(options, bert.labels)
