"""A prompt and several endings → which of them is right."""

import dataclasses
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..errors import ConfigError, InputError
from ..features.splits import cumulated, ranges
from ..metrics.classification import accuracy
from ..model import Bert
from ..readers import Item, ReaderOptions, input_format, read_items
from ..readers.items import UnevenRows
from ..readers.source import check_reopenable, numbered_lines
from ..task_model import Loss
from ..tokenizer import Tokenizer
from .predictions import (
    TABLE_ENDINGS,
    by_label,
    known_of,
    softmax,
    write_predictions,
)
from .rows import Column, Rows, framed
from .tables import pieces, require_labels, table_options, task_from, warn_of_cuts

# Files that are known by their first line: SWAG's own, one of the general form as a
# table, and CODAH, whose numbered columns have no names.
_SWAG = ReaderOptions(
    text_column="sent1",
    text_pair_column="sent2",
    ending_columns=("ending0", "ending1", "ending2", "ending3"),
)
_CODAH = ReaderOptions(
    header=False,
    text_column="1",
    ending_columns=("2", "3", "4", "5"),
    label_column="6",
)
_GENERAL = ReaderOptions(text_column="prompt", ending_columns=("endings",))


@dataclasses.dataclass(frozen=True, slots=True)
class ChoiceExample:
    """A prompt, what may follow, and what does.

    Args:
        source: file name.
        line: number of the line where it begins, from 1.
        prompt: the text before.
        endings: the texts to choose from.
        label: number of the right ending, from 0; None if it is not known.
        id: from the id column.
    """

    source: str
    line: int
    prompt: str
    endings: tuple[str, ...]
    label: int | None = None
    id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ChoiceGuess:
    """What the model says of one question.

    Args:
        choice: number of the ending that it thinks right, from 0.
        probabilities: float32 ``[n]``.
    """

    choice: int
    probabilities: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultipleChoice:
    """Tell which of several endings follows a prompt: SWAG, and what is shaped so.

    Without ``text_column`` and ``ending_columns``, the files that it knows are: JSON
    Lines with ``prompt``, ``endings`` (a list) and ``label``; SWAG's csv (``sent1``,
    ``sent2``, ``ending0`` …); CODAH's tsv; tables with ``prompt`` and ``ending0`` ….

    Args:
        text_column: column or JSON key of the prompt.
        text_pair_column: column or key of how all endings begin, if they do: SWAG's
            ``sent2``.
        ending_columns: columns or keys of the endings, at least two; in JSON, one key
            may hold the list of them.
        label_column: column or key of the number of the right ending, from 0; by
            default label.
        id_column: column or key of what predictions are named by.
        header: whether csv and tsv begin with a line of names; without one, columns are
            given as numbers from 0.
        format: ``"auto"`` goes by the ending; or csv, tsv, jsonl.
        uneven_rows: what may be of table rows not as wide as the first: see
            ``ReaderOptions``.

    Raises:
        ConfigError: only one of ``text_column`` and ``ending_columns`` is given, or
            neither, but what goes with them.

    Source:
        Devlin et al. 2019, arXiv:1810.04805, section 4.4: the prompt is sentence A, an
        ending sentence B, one score for each. Differs: nothing.
    """

    kind: ClassVar[str] = "choice"
    head: ClassVar[str] = "multiple_choice"
    prediction_endings: ClassVar[tuple[str, ...]] = TABLE_ENDINGS
    loss: ClassVar[Loss] = "cross_entropy"
    labels: ClassVar[tuple[str, ...]] = ()
    units: ClassVar[int] = 1
    main_figure: ClassVar[str] = "accuracy"

    text_column: str | None = None
    text_pair_column: str | None = None
    ending_columns: tuple[str, ...] = ()
    label_column: str | None = None
    id_column: str | None = None
    header: bool = True
    format: str = "auto"
    uneven_rows: UnevenRows = "refuse"

    def __post_init__(self) -> None:
        if (self.text_column is None) == bool(self.ending_columns):
            raise ConfigError(
                f"text_column={self.text_column!r} with "
                f"ending_columns={self.ending_columns!r}",
                expected="both, or none for files that are known",
            )
        if self.text_column is None:
            self._check_known()

    def read(self, path: str, *, gold: bool = True) -> list[ChoiceExample]:
        """The questions of a file; see ``Task``."""
        options = self._options(path, gold=gold)
        return [_example(item, gold=gold) for item in read_items([path], options)]

    def fitted(self, train: Sequence[ChoiceExample]) -> "MultipleChoice":
        """The same task, if all questions can be learned from; see ``Task``."""
        self.check(train)
        return self

    def check(self, examples: Sequence[ChoiceExample]) -> None:
        """Raise ``InputError`` if a question has no answer."""
        require_labels(examples)

    def check_dev(self, examples: Sequence[ChoiceExample]) -> None:
        """Nothing: accuracy is of any examples."""

    def rows(
        self,
        examples: Sequence[ChoiceExample],
        tokenizer: Tokenizer,
        *,
        max_length: int,
        training: bool,
    ) -> Rows:
        """One row for each ending of each question; see ``Task``."""
        choices = _same_number(examples)
        endings = [ending for example in examples for ending in example.endings]
        columns, lost = framed(
            _repeated(pieces([one.prompt for one in examples], tokenizer), choices),
            pieces(endings, tokenizer),
            vocabulary=tokenizer.vocabulary,
            max_length=max_length,
        )
        sources = [one.source for one in examples for _ in range(choices)]
        warn_of_cuts(sources, lost, max_length=max_length)
        targets: dict[str, Column] = {}
        if examples and examples[0].label is not None:
            self.check(examples)
            answers = [example.label for example in examples]
            targets[self.head] = Column(np.array(answers, np.int32))
        ones = Column(np.ones(len(examples), np.float32))
        return Rows(
            inputs=columns,
            targets=targets,
            weights=dict.fromkeys(targets, ones),
            examples=np.repeat(np.arange(len(examples)), choices),
            choices=choices,
        )

    def guesses(
        self,
        examples: Sequence[ChoiceExample],
        rows: Rows,
        outputs: Sequence[np.ndarray],
        bert: Bert,
    ) -> list[ChoiceGuess]:
        """The ending that has the highest score, for each question; see ``Task``."""
        return [ChoiceGuess(int(one.argmax()), softmax(one)) for one in outputs]

    def tuned(
        self, examples: Sequence[ChoiceExample], guesses: Sequence[ChoiceGuess]
    ) -> "MultipleChoice":
        """The same task: nothing is chosen on held-out examples."""
        return self

    def score(
        self, examples: Sequence[ChoiceExample], guesses: Sequence[ChoiceGuess]
    ) -> dict[str, float]:
        """``accuracy``."""
        self.check(examples)
        gold = np.array([example.label for example in examples])
        return {"accuracy": accuracy(gold, np.array([one.choice for one in guesses]))}

    def write(
        self,
        path: Path,
        examples: Sequence[ChoiceExample],
        guesses: Sequence[ChoiceGuess],
    ) -> None:
        """Write number and probability of the endings of each question, in order.

        Args:
            path: a name that ends in ``.tsv`` or ``.jsonl``; or a folder, which gets
                ``predictions.tsv``.
            examples: what ``read`` gave.
            guesses: one for each.

        Raises:
            OutputError: another ending, or the disk says no.
        """
        pairs = zip(examples, guesses, strict=True)
        write_predictions(path, (_record(*pair) for pair in pairs))

    def report(
        self,
        folder: Path,
        examples: Sequence[ChoiceExample],
        guesses: Sequence[ChoiceGuess],
    ) -> None:
        """Nothing: the figure says it all."""

    def to_dict(self) -> dict[str, Any]:
        """All options, as JSON takes them."""
        return {**dataclasses.asdict(self), "ending_columns": [*self.ending_columns]}

    @classmethod
    def from_dict(
        cls, fields: Mapping[str, Any], labels: tuple[str, ...] = ()
    ) -> "MultipleChoice":
        """What ``to_dict`` gave, as a task; it has no labels."""
        return task_from(cls, fields)

    def _check_known(self) -> None:
        """Raise ``ConfigError`` if options say of known files what is known of them."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for name in ("text_pair_column", "uneven_rows"):
            if (value := getattr(self, name)) != defaults[name]:
                raise ConfigError(
                    f"{name}={value!r} without text_column and ending_columns",
                    expected="all of them, or none for files that are known",
                )

    def _options(self, path: str, *, gold: bool) -> ReaderOptions:
        options = dataclasses.replace(
            table_options(self, gold=gold), ending_columns=self.ending_columns
        )
        if self.text_column is not None:
            return options
        known = _known_layout(path, input_format(path, self.format))
        label = self.label_column or known.label_column or options.label_column
        return dataclasses.replace(
            known,
            format=options.format,
            id_column=options.id_column,
            label_column=label if gold else None,
        )


def _known_layout(path: str, format: str) -> ReaderOptions:
    """The layout that the first line of a file shows.

    Raises:
        InputError: it shows none.
    """
    if format == "jsonl":
        return _GENERAL
    check_reopenable(path)  # the reader opens it once more
    first = next(numbered_lines(path), None)
    if first is None:
        return _GENERAL  # the reader says that there is nothing
    _, line = first
    cells = line.split("\t") if format == "tsv" else line.replace('"', "").split(",")
    if set(_SWAG.ending_columns) | {"sent1", "sent2"} <= set(cells):
        return _SWAG
    endings = itertools.takewhile(
        cells.__contains__, (f"ending{number}" for number in itertools.count())
    )
    if "prompt" in cells and (names := tuple(endings)):
        return dataclasses.replace(_GENERAL, ending_columns=names)
    if len(cells) == 7 and re.fullmatch("[0-3]", cells[-1]):
        return _CODAH
    raise InputError(
        f"no file of choices that is known: it begins {line[:60]!r}",
        where=path,
        line=1,
        expected="the columns prompt, ending0, ending1 …, as SWAG or as CODAH",
        hint="Name its columns: --text-column, --ending-columns and --label-column.",
    )


def _example(item: Item, *, gold: bool) -> ChoiceExample:
    if item.text is None:
        raise _wrong(item, "the prompt is a list of words", "one string")
    if len(item.endings) < 2:
        raise _wrong(item, f"{len(item.endings)} endings", "at least two")
    # SWAG: what is the same in all of them is part of each.
    begin = "" if item.text_pair is None else f"{item.text_pair} "
    label = None
    if gold:
        right = isinstance(item.label, str) and re.fullmatch("[0-9]{1,6}", item.label)
        if not right or int(item.label) >= len(item.endings):
            last = len(item.endings) - 1
            raise _wrong(item, f"label {item.label!r}", f"a number from 0 to {last}")
        label = int(item.label)
    return ChoiceExample(
        source=item.source,
        line=item.line,
        prompt=item.text,
        endings=tuple(f"{begin}{ending}" for ending in item.endings),
        label=label,
        id=item.id,
    )


def _wrong(item: Item, what: str, expected: str) -> InputError:
    return InputError(what, where=item.source, line=item.line, expected=expected)


def _same_number(examples: Sequence[ChoiceExample]) -> int:
    """How many endings every question has."""
    first = examples[0]
    for example in examples:
        if len(example.endings) != len(first.endings):
            raise InputError(
                f"{len(example.endings)} endings",
                where=example.source,
                line=example.line,
                expected=f"{len(first.endings)}, as in line {first.line}",
            )
    return len(first.endings)


def _repeated(texts: Column, times: int) -> Column:
    """Every row so many times, one after the other."""
    rows = np.repeat(np.arange(len(texts)), times)
    places, _ = ranges(texts.splits[rows], texts.splits[rows + 1])
    return Column(texts.values[places], cumulated(texts.lengths[rows]))


def _record(example: ChoiceExample, guess: ChoiceGuess) -> dict[str, Any]:
    numbers = map(str, range(len(example.endings)))
    probability = by_label(numbers, guess.probabilities)
    return {**known_of(example), "label": guess.choice, "probability": probability}
