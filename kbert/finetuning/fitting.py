"""A task and a model → the task with the classes that the model's head has."""

import dataclasses
import os

from ..errors import CheckpointError, InputError
from ..model import Bert
from ..tasks import Task
from ..tasks.glue import GLUE_LABELS
from .start import heads_of


def fit_to_heads(task: Task, bert: Bert, *, where: str | os.PathLike[str]) -> Task:
    """See that a model has the heads of a task, and give the task its classes.

    Args:
        task: that may not know its labels. They are the model's. Of one made elsewhere
            that names none, they are those of the GLUE task, if it has as many, or else
            the numbers from 0.
        bert: the model.
        where: its folder, for errors.

    Raises:
        CheckpointError: a head is missing, or has other outputs than the task reads.
    """
    for head in heads_of(task):
        if head not in bert.heads:
            raise CheckpointError(
                f"has no head {head}, which the task {task.kind!r} reads",
                where=where,
                expected=f"one of {', '.join(bert.heads) or 'its own: it has none'}",
            )
    has_classes = "labels" in {field.name for field in dataclasses.fields(task)}
    if has_classes:
        task = _with_labels(task, bert, where=where)
    for head in heads_of(task):
        units = bert.heads[head].units
        least = 2 if has_classes and task.loss != "binary" else 1
        if units != task.units or units < least:
            raise CheckpointError(
                f"its head {head} has {units} output{'s' * (units != 1)}",
                where=where,
                expected=f"{max(task.units, least)}, as the task {task.kind!r} reads",
            )
    return task


def _with_labels(task: Task, bert: Bert, *, where: str | os.PathLike[str]) -> Task:
    if task.labels:
        return task
    units = bert.heads[task.head].units
    official = GLUE_LABELS.get(getattr(task, "glue", None), ())
    numbers = tuple(map(str, range(units)))
    labels = bert.labels or (official if len(official) == units else numbers)
    try:
        return type(task).from_dict(task.to_dict(), labels)
    except InputError as error:
        raise CheckpointError(
            f"its labels: {error.what}",
            where=where,
            expected=error.expected,
            hint="Say how they mark entities: --scheme (scheme in Python).",
        ) from error
