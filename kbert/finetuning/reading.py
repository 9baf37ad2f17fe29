"""A task, a file and the options for it → the task as it reads that file."""

import dataclasses
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigError, KbertWarning
from ..readers import OBEYED, ReaderOptions, input_format
from ..readers.conll import count_columns
from ..readers.source import inner_ending
from ..tasks import Task
from ..tasks.glue import is_official
from ..tasks.tagging.sentences import file_format

_OF_READER = {field.name for field in dataclasses.fields(ReaderOptions)} - {"format"}


def with_options(task: Task, reading: Mapping[str, Any]) -> Task:
    """The same task with other options.

    Raises:
        ConfigError: the task has no such option, or they do not go together.
    """
    known = [field.name for field in dataclasses.fields(task) if field.name != "labels"]
    for name, value in reading.items():
        if name not in known:
            raise ConfigError(
                f"{name}={value!r} has no meaning for the task {task.kind!r}",
                expected=f"one of {', '.join(known)}",
            )
    return dataclasses.replace(task, **reading)


def that_apply(
    task: Task,
    reading: Mapping[str, Any],
    file: str | os.PathLike[str],
    *,
    gold: bool,
) -> dict[str, Any]:
    """All that a model's own task has to be told to read a file.

    Files are read as the training file was, except for what they cannot have: lines
    have no columns, CoNLL files no keys, and what is to be guessed needs no column of
    tags: if there is one column, it holds the words. What the user says of the file
    always holds.

    Args:
        task: of the model.
        reading: what the user says.
        file: that is to be read.
        gold: whether it has to say what is right.

    Returns:
        ``reading``, and the options that are not what they were in training.

    Raises:
        ConfigError: the ending of the file does not say what it holds.
        InputError: the file cannot be read.
    """
    options = {field.name: field.default for field in dataclasses.fields(task)}
    told = {name: reading.get(name, getattr(task, name)) for name in options}
    # An ending that says so is believed rather than what the training file was.
    has_keys = "format" not in reading and inner_ending(os.fspath(file)) == ".jsonl"
    if has_keys and "format" in told:
        told["format"] = "jsonl"
    if "format" not in told or is_official(
        glue=told.get("glue"), text_column=told["text_column"], format=told["format"]
    ):
        return {**reading}
    path = os.fspath(file)
    format_of = file_format if task.kind == "ner" else input_format
    format = format_of(path, told["format"])
    left = {name for name in options if name in _OF_READER} - {*OBEYED[format]}
    if not gold and format == "conll":
        left |= _columns_left(path, told["tag_column"])
    changed = {name: options[name] for name in left if told[name] != options[name]}
    if "text_pair_column" in changed:
        warnings.warn(
            f"{path}: {format} hold one text each; the model was trained on pairs.",
            KbertWarning,
            stacklevel=2,
        )
    # Without its columns, a file is not GLUE's own.
    if changed or (has_keys and task.format not in ("auto", "jsonl")):
        changed["format"] = format
    return {**changed, **reading}


def told_by_file(task: Task, examples: Sequence[Any]) -> Task:
    """The same task, knowing what a model made elsewhere does not say.

    Args:
        task: of questions, it finds whether one may have no answer, as training does.
        examples: of the file.
    """
    if task.kind != "qa" or task.version_2 is not None:
        return task
    without = any(one.answers == () for one in examples)
    return dataclasses.replace(task, version_2=without)


def _columns_left(path: str, tag_column: int | None) -> set[str]:
    """Which columns of the training a CoNLL file of words to be tagged cannot have."""
    # What can be read only once is not counted.
    width = count_columns(path) if os.path.isfile(path) else None
    if width == 1:  # the words, wherever they stood in training
        return {"word_column", "tag_column"}
    has_tags = tag_column is not None and tag_column < (width or 0)
    return set() if has_tags else {"tag_column"}
