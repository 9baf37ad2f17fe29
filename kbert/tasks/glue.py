"""The official files of a GLUE task → examples; guesses → what its server takes.

Quotes are ordinary characters, a byte order mark is none, and no row is left out. Test
files have no labels; the diagnostic set is read and answered as MNLI.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Protocol

from .. import io
from ..errors import ConfigError, InputError
from ..metrics.classification import GLUE_FIGURES
from ..readers import ReaderOptions
from ..readers.source import check_reopenable, numbered_lines
from .predictions import is_folder, own_folder
from .tables import ReadsTable, TextExample, read_texts, table_options

_ENTAILMENT = ("entailment", "not_entailment")
_BINARY = ("0", "1")
SCORE_RANGE = (0.0, 5.0)  # of STS-B

# The classes in the order of the outputs; STS-B has scores.
GLUE_LABELS = {
    "CoLA": _BINARY,
    "SST-2": _BINARY,
    "MRPC": _BINARY,
    "STS-B": (),
    "QQP": _BINARY,
    "MNLI": ("entailment", "neutral", "contradiction"),
    "QNLI": _ENTAILMENT,
    "RTE": _ENTAILMENT,
    "WNLI": _BINARY,
}


# What the official files say themselves.
# Whether they have a header is said too, but some have none: to say so is no mistake.
_SAID = ("text_pair_column", "label_column", "id_column", "uneven_rows")


class ReadsGlue(ReadsTable, Protocol):
    """The options of a task that reads tables and GLUE's own files."""

    glue: str | None


def _named(
    text: str, pair: str | None = None, *, label: str = "label", index: str = "index"
) -> ReaderOptions:
    return ReaderOptions(
        format="tsv",
        text_column=text,
        text_pair_column=pair,
        label_column=label,
        id_column=index,
    )


_PAIR = _named("sentence1", "sentence2")
# What the files of a task look like, train and dev before test where they differ.
_LAYOUTS = {
    "CoLA": (
        ReaderOptions(format="tsv", header=False, text_column="3", label_column="1"),
        _named("sentence"),
    ),
    "SST-2": (_named("sentence"),),
    "MRPC": (_named("#1 String", "#2 String", label="Quality"),),
    "STS-B": (
        _named("sentence1", "sentence2", label="score"),
        # The same data as the STS benchmark has them: other columns, no header, and
        # behind some rows the licence.
        ReaderOptions(
            format="tsv",
            header=False,
            text_column="5",
            text_pair_column="6",
            label_column="4",
            uneven_rows="cut",
        ),
    ),
    # Some questions hold a line end, which the files keep as it is.
    "QQP": (
        dataclasses.replace(
            _named("question1", "question2", label="is_duplicate", index="id"),
            uneven_rows="join",
        ),
    ),
    "MNLI": (dataclasses.replace(_PAIR, label_column="gold_label"),),
    "QNLI": (_named("question", "sentence"),),
    "RTE": (_PAIR,),
    "WNLI": (_PAIR,),
}


def check_glue(task: ReadsGlue, *, scores: bool) -> None:
    """Raise ``ConfigError`` if the options of a task do not go with its ``glue``.

    Args:
        task: with any ``glue``, or without.
        scores: whether it gives scores, not classes.
    """
    if task.glue is None:
        return
    if task.glue not in GLUE_FIGURES:
        raise ConfigError(
            f"glue={task.glue!r}", expected=f"one of {', '.join(GLUE_FIGURES)}"
        )
    if (task.glue == "STS-B") != scores:
        kind = "scores: it is a regression" if task.glue == "STS-B" else "classes"
        raise ConfigError(
            f"glue={task.glue!r} has {kind}",
            hint="Use kbert finetune regress for STS-B, and classify for the others.",
        )
    if task.text_column is None:
        _check_said(task)


def is_official(*, glue: str | None, text_column: str | None, format: str) -> bool:
    """Whether a task of these options reads GLUE's own files, and no others."""
    return glue is not None and text_column is None and format == "auto"


def read_glue(path: str, task: str, *, gold: bool) -> list[TextExample]:
    """Read one of the files that GLUE gives out.

    Args:
        path: train, dev or test file of the task.
        task: one of ``GLUE_LABELS``.
        gold: whether to read the labels, which a test file does not have.

    Raises:
        InputError: a file that does not look like one of the task; or ``gold``, and
            it has no labels.
    """
    layout = _layout(path, task)
    names = _first_row(path)
    if gold and layout.header and layout.label_column not in names:
        raise InputError(
            f"no column {layout.label_column!r}: a test file of {task}",
            where=path,
            expected="a file with labels, such as dev.tsv",
            hint="Its guesses can be scored by the server only: kbert predict.",
        )
    if not gold:
        layout = dataclasses.replace(layout, label_column=None)
    if layout.id_column not in names:
        layout = dataclasses.replace(layout, id_column=None)
    return read_texts(path, layout)


def read_own_or_glue(task: ReadsGlue, path: str, *, gold: bool) -> list[TextExample]:
    """Read a file as the options of a task say: GLUE's own, or any lines or table.

    Raises:
        InputError: the file is not what it has to be; the line is named.
    """
    if is_official(glue=task.glue, text_column=task.text_column, format=task.format):
        return read_glue(path, task.glue, gold=gold)
    return read_texts(path, table_options(task, gold=gold))


def write_answers(
    path: Path,
    task: str | None,
    examples: Sequence[TextExample],
    answers: Iterable[str | float],
) -> None:
    """Answer a GLUE file without labels, if the predictions go into a folder.

    Args:
        path: of the predictions.
        task: one of ``GLUE_LABELS``; None writes nothing.
        examples: of one file.
        answers: one for each, see ``write_submission``.
    """
    blind = all(example.label is None for example in examples)
    if task is not None and blind and is_folder(path):
        write_submission(own_folder(path), task, examples, answers)


def submission_name(task: str, source: str) -> str:
    """The name that the server wants for the answers to a file.

    Args:
        task: one of ``GLUE_LABELS``.
        source: name of the file that was read; of MNLI it says which set it is.
    """
    if task != "MNLI":
        return f"{task}.tsv"
    name = PurePath(source).name.lower()
    if "diagnostic" in name or name.startswith("ax"):
        return "AX.tsv"
    return "MNLI-mm.tsv" if "mismatched" in name else "MNLI-m.tsv"


def write_submission(
    folder: Path,
    task: str,
    examples: Sequence[TextExample],
    answers: Iterable[str | float],
) -> Path:
    """Write the answers to one file as the server takes them.

    Args:
        folder: gets a file of the server's name for it.
        task: one of ``GLUE_LABELS``.
        examples: of one file; their number in it stands for an index that is missing.
        answers: one for each: the name of its class; of STS-B a score, which is put
            into its range.

    Returns:
        The file.

    Source:
        gluebenchmark.com, submission format: a header, then index and prediction.
    """
    path = folder / submission_name(task, examples[0].source)
    rows = ["index\tprediction\n"]
    for number, (example, answer) in enumerate(zip(examples, answers, strict=True)):
        if isinstance(answer, float):
            answer = f"{min(max(answer, SCORE_RANGE[0]), SCORE_RANGE[1]):.4f}"
        rows.append(f"{number if example.id is None else example.id}\t{answer}\n")
    io.write_text(path, "".join(rows))
    return path


def _check_said(task: ReadsGlue) -> None:
    """Raise ``ConfigError`` if options say of GLUE's own files what those say."""
    defaults = {field.name: field.default for field in dataclasses.fields(task)}
    given = [name for name in _SAID if getattr(task, name) != defaults[name]]
    if task.format not in ("auto", "lines"):
        given.append("format")
    if given:
        raise ConfigError(
            f"{given[0]}={getattr(task, given[0])!r} with glue={task.glue!r}, whose "
            "own files say it",
            expected="text_column too, for another file",
        )


def _layout(path: str, task: str) -> ReaderOptions:
    """The layout that the first line of a file fits."""
    cells = _first_row(path)
    for layout in _LAYOUTS[task]:
        columns = [layout.text_column, layout.text_pair_column]
        names = cells if layout.header else [str(one) for one in range(len(cells))]
        named = set(filter(None, columns)) <= set(names)
        if named and (layout.header or _looks_right(cells, layout)):
            return layout
    wanted = _LAYOUTS[task][0 if _LAYOUTS[task][0].header else -1]
    columns = " and ".join(filter(None, [wanted.text_column, wanted.text_pair_column]))
    raise InputError(
        f"no file of {task}: its first line has the columns {', '.join(cells[:20])}",
        where=path,
        line=1,
        expected=columns,
        hint="A file of your own is read by --text-column, or by --format lines if it "
        "holds a text a line (text_column, format in Python).",
    )


def _looks_right(cells: list[str], layout: ReaderOptions) -> bool:
    """Whether the first line of a file without a header holds a number as its label."""
    try:
        float(cells[int(layout.label_column)])
    except ValueError:
        return False
    return True


def _first_row(path: str) -> list[str]:
    check_reopenable(path)  # the reader opens it once more
    for _, line in numbered_lines(path):
        return line.split("\t")
    raise InputError("is empty", where=path, expected="a file of GLUE")
