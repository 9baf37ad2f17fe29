"""A task, a file and the options for it → the task as it reads that file."""

import dataclasses
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigError, KbertWarning
from ..readers import OBEYED, ReaderOptions, input_format
from ..readers.conll import count_columns, numbered_columns
from ..readers.jsonl import first_object, text_key
from ..readers.source import inner_ending
from ..tasks import Task
from ..tasks.glue import is_official
from ..tasks.tagging.sentences import file_format

_OF_READER = {field.name for field in dataclasses.fields(ReaderOptions)} - {"format"}
_SINGLE_TEXTS = (None, "CoLA", "SST-2")  # of GLUE; the others have pairs


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
    have no columns, CoNLL files no keys, JSON Lines are not GLUE's own, and what is to
    be guessed needs no tags: if there is one column, it holds the words. What the user
    says of the file always holds; columns of CoNLL files may be numbered by
    ``text_column`` and ``label_column``, too.

    Args:
        task: of the model.
        reading: what the user says.
        file: that is to be read.
        gold: whether it has to say what is right.

    Returns:
        ``reading``, and the options that are not what they were in training.

    Raises:
        ConfigError: the ending of the file does not say what it holds, a column is
            given twice, or the second text of pairs is not given.
        InputError: the file cannot be read, or its first object has no text.

    Warns:
        KbertWarning: single texts are read for a model of pairs.
    """
    options = {field.name: field.default for field in dataclasses.fields(task)}
    if "format" not in options:
        return {**reading}
    path = os.fspath(file)
    # An ending that says so is believed rather than what the training file was.
    has_keys = "format" not in reading and inner_ending(path) == ".jsonl"
    format = "jsonl" if has_keys else reading.get("format", task.format)
    if task.kind == "ner":
        reading = numbered_columns(path, reading, format=format)
    told = {name: reading.get(name, getattr(task, name)) for name in options}
    glue = told.get("glue")
    if is_official(glue=glue, text_column=told["text_column"], format=format):
        return {**reading}
    format_of = file_format if task.kind == "ner" else input_format
    format = format_of(path, format)
    left = {name for name in options if name in _OF_READER} - {*OBEYED[format]}
    if task.kind == "ner" and not gold:
        left |= _tags_left(path, format, told)
    changed = {name: options[name] for name in left if told[name] != options[name]}
    if format == "jsonl" and glue is not None and told["text_column"] is None:
        changed["text_column"] = _key_of_text(path, told)
    _warn_of_single_texts(path, format, task, {**told, **changed})
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


def _tags_left(path: str, format: str, told: Mapping[str, Any]) -> set[str]:
    """Which options of the training a file of words to be tagged cannot obey."""
    # What can be read only once is not looked into.
    once = not os.path.isfile(path)
    if format == "jsonl":
        row = {} if once else first_object(path) or {}
        return set() if told["label_column"] in row else {"label_column"}
    if format != "conll":
        return set()
    width, tag_column = None if once else count_columns(path), told["tag_column"]
    if width == 1:  # the words, wherever they stood in training
        return {"word_column", "tag_column"}
    has_tags = tag_column is not None and tag_column < (width or 0)
    return set() if has_tags else {"tag_column"}


def _key_of_text(path: str, told: Mapping[str, Any]) -> str:
    """The key of the texts in JSON Lines of one's own beside a GLUE task."""
    if told["glue"] not in _SINGLE_TEXTS and told["text_pair_column"] is None:
        raise ConfigError(
            f"the model was trained on the pairs of {told['glue']}",
            where=path,
            expected="the keys of both texts: --text-column and --text-pair-column "
            "(text_column, text_pair_column in Python)",
        )
    row = first_object(path) if os.path.isfile(path) else None
    return "text" if row is None else text_key(row, path, 1)


def _warn_of_single_texts(
    path: str, format: str, task: Task, told: Mapping[str, Any]
) -> None:
    """Say that a model of pairs is given one text each."""
    official = is_official(
        glue=getattr(task, "glue", None),
        text_column=task.text_column,
        format=task.format,
    )
    pairs = official and task.glue not in _SINGLE_TEXTS
    had_pairs = pairs or getattr(task, "text_pair_column", None) is not None
    if had_pairs and told["text_pair_column"] is None:
        what = f"{format} hold one text each"
        if "text_pair_column" in OBEYED[format]:
            what = "no --text-pair-column (text_pair_column in Python) is given"
        warnings.warn(
            f"{path}: {what}; the model was trained on pairs.",
            KbertWarning,
            stacklevel=3,
        )
