"""What to make of a corpus: objective, lengths, seed, masks; checked."""

import dataclasses
import math
from typing import Any, Literal

from ..errors import ConfigError

Objective = Literal["nsp", "sop", "none"]
OBJECTIVES: tuple[Objective, ...] = ("nsp", "sop", "none")
MASKINGS = ("token", "whole-word")
MASK_RATE = 0.15
_LEAST_LENGTH, _MOST_LENGTH = 8, 1 << 16
_MOST_SHARDS = 99_999
_PAIR_SHORT_RATE = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class StaticMasks:
    """Masks that are drawn once, as in Google's own data.

    Args:
        dupe_factor: copies of the training data, each with other pairs and masks.
        masking: ``token``, or ``whole-word`` to mask all pieces of a word.
        max_predictions: the most masks of a row, one number for all lengths or one for
            each. None: ``ceil(0.15 * length)``, so 20 at 128 and 77 at 512.

    Raises:
        ConfigError: a number or a choice that cannot be.
    """

    dupe_factor: int = 10
    masking: Literal["token", "whole-word"] = "token"
    max_predictions: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        _check_whole("dupe_factor", self.dupe_factor, 1, 10_000)
        _check_choice("masking", self.masking, MASKINGS)
        given = self.max_predictions
        for one in given if isinstance(given, tuple) else (given,):
            if one is not None:
                _check_whole("max_predictions", one, 1, _MOST_LENGTH)

    def predictions(self, lengths: tuple[int, ...]) -> dict[int, int]:
        """The most masks of a row, for each length."""
        given = self.max_predictions
        if given is None:
            return {length: math.ceil(MASK_RATE * length) for length in lengths}
        numbers = given if isinstance(given, tuple) else (given,)
        if len(numbers) == 1:
            numbers *= len(lengths)
        if len(numbers) != len(lengths):
            raise ConfigError(
                f"max_predictions has {len(numbers)} numbers",
                expected=f"one, or one for each of the {len(lengths)} lengths",
            )
        return dict(zip(lengths, numbers, strict=True))


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainingDataSettings:
    """Everything about the data but its input, vocabulary and place.

    Args:
        objective: ``nsp``: does B follow A, or come from another document? ``sop``:
            are A and B in their order, or swapped? ``none``: rows of one part.
        sequence_lengths: tokens of a row, [CLS] and [SEP] included; each length gets
            its own shards.
        seed: of every random choice.
        short_sequence_rate: share of documents that are cut into shorter rows, of one
            length between 2 tokens and all. None: 0.1 for pairs, 0 for ``none``.
        lowercase: whether to fold case. None: unless the vocabulary has capitals.
        strip_accents: whether to delete accents. None: if case is folded.
        already_split: whether each line (paragraph) of the corpus is one sentence.
        evaluation_fraction: share of the documents that is held out.
        shards: files of training data for each length. None: 16, or more if they would
            get too large for memory, or fewer if there are not so many documents.
        static: masks to write with the rows. None: they are drawn during training.
        text_column: key of the text in .jsonl files.

    Raises:
        ConfigError: a number or a choice that cannot be.
    """

    objective: Objective = "nsp"
    sequence_lengths: tuple[int, ...] = (128,)
    seed: int = 0
    short_sequence_rate: float | None = None
    lowercase: bool | None = None
    strip_accents: bool | None = None
    already_split: bool = False
    evaluation_fraction: float = 0.01
    shards: int | None = None
    static: StaticMasks | None = None
    text_column: str = "text"

    def __post_init__(self) -> None:
        _check_choice("objective", self.objective, OBJECTIVES)
        lengths = self.sequence_lengths
        if not isinstance(lengths, tuple) or not lengths:
            raise ConfigError(f"sequence_lengths={lengths!r}", expected="a tuple")
        for length in lengths:
            _check_whole("sequence_length", length, _LEAST_LENGTH, _MOST_LENGTH)
        if len(set(lengths)) < len(lengths):
            raise ConfigError(f"sequence_lengths={lengths!r}", expected="each once")
        _check_whole("seed", self.seed, 0, 2**63 - 1)
        if self.short_sequence_rate is not None:
            _check_share("short_sequence_rate", self.short_sequence_rate, 1.0)
        _check_share("evaluation_fraction", self.evaluation_fraction, 0.5)
        if self.shards is not None:
            _check_whole("shards", self.shards, 1, _MOST_SHARDS)
        if self.static is not None:
            self.static.predictions(lengths)

    @property
    def is_paired(self) -> bool:
        """Whether a row has two parts."""
        return self.objective != "none"

    @property
    def short_rate(self) -> float:
        """``short_sequence_rate``, or its default for the objective."""
        if self.short_sequence_rate is None:
            return _PAIR_SHORT_RATE if self.is_paired else 0.0
        return self.short_sequence_rate

    @property
    def copies(self) -> int:
        """How many times the training data is written."""
        return 1 if self.static is None else self.static.dupe_factor

    @property
    def predictions(self) -> dict[int, int | None]:
        """The most masks of a row for each length; None if there are no static ones."""
        if self.static is None:
            return dict.fromkeys(self.sequence_lengths)
        return dict(self.static.predictions(self.sequence_lengths))

    @property
    def least_documents(self) -> int:
        """How many documents a shard needs: B comes from another one than A."""
        return 2 if self.objective == "nsp" else 1

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON takes them, defaults filled in."""
        fields = dataclasses.asdict(self)
        fields["sequence_lengths"] = list(self.sequence_lengths)
        fields["short_sequence_rate"] = self.short_rate
        if self.static is not None:
            predictions = self.static.predictions(self.sequence_lengths)
            fields["static"]["max_predictions"] = list(predictions.values())
        return fields

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "PretrainingDataSettings":
        """The settings that ``to_dict`` wrote."""
        static = fields["static"]
        if static is not None:
            numbers = tuple(static["max_predictions"])
            static = StaticMasks(**{**static, "max_predictions": numbers})
        lengths = tuple(fields["sequence_lengths"])
        return cls(**{**fields, "sequence_lengths": lengths, "static": static})


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name}={value!r}", expected=f"one of {', '.join(choices)}")


def _check_whole(name: str, value: Any, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ConfigError(
            f"{name}={value!r}", expected=f"a whole number from {least} to {most}"
        )


def _check_share(name: str, value: Any, most: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= most:
        raise ConfigError(f"{name}={value!r}", expected=f"a number from 0 to {most}")
