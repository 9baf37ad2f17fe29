"""What a task gives the model: rows of tokens of any length, flat, and their labels."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from ..errors import ConfigError
from ..features.splits import Ints, cumulated, ranges
from ..vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class Column:
    """One array for all rows.

    Args:
        values: ``[N, …]``, the values of all rows, one row after the other.
        splits: int64 ``[R + 1]``; row *i* has ``values[splits[i]:splits[i + 1]]``.
            ``None`` if each row has exactly one value, and N = R.
    """

    values: np.ndarray
    splits: Ints | None = None

    def __len__(self) -> int:
        return len(self.values) if self.splits is None else len(self.splits) - 1

    @property
    def lengths(self) -> Ints:
        """int64 ``[R]``, values of each row."""
        if self.splits is None:
            return np.ones(len(self.values), np.int64)
        return np.diff(self.splits)

    def __getitem__(self, row: int) -> np.ndarray:
        """The value of one row, or its values."""
        if self.splits is None:
            return self.values[row]
        return self.values[self.splits[row] : self.splits[row + 1]]

    def padded(self, rows: Ints, width: int) -> np.ndarray:
        """The values of some rows, 0 where there are none; a row −1 has none at all.

        Args:
            rows: int64 ``[B]``.
            width: of a ragged column.

        Returns:
            ``[B, width, …]``, or ``[B, …]`` if each row has one value.
        """
        shape = (len(rows), *([] if self.splits is None else [width]))
        block = np.zeros((*shape, *self.values.shape[1:]), self.values.dtype)
        (there,) = np.nonzero(rows >= 0)
        if self.splits is None:
            block[there] = self.values[rows[there]]
            return block
        starts, stops = self.splits[rows[there]], self.splits[rows[there] + 1]
        source, owners = ranges(starts, stops)
        block[there[owners], source - starts[owners]] = self.values[source]
        return block


@dataclasses.dataclass(frozen=True)
class Rows:
    """Inputs of the model, and what it should say.

    Args:
        inputs: int32, ragged: ``token_ids`` with [CLS] and [SEP] and without padding,
            ``segment_ids``; of a tagger also ``word_positions``.
        targets: the labels, by the name of the head; empty if they are not known. See
            ``build_task_model``; of ``multiple_choice``, one for each question.
        weights: float32, of the same names: how much each label counts; 0, nothing.
        examples: int64 ``[R]``, ascending: the example that each row serves.
        choices: rows that are one question together: R is a multiple of it.
    """

    inputs: Mapping[str, Column]
    targets: Mapping[str, Column]
    weights: Mapping[str, Column]
    examples: Ints
    choices: int = 1

    def __len__(self) -> int:
        """R."""
        return len(self.examples)

    @property
    def lengths(self) -> Ints:
        """int64 ``[R]``, tokens of each row."""
        return self.inputs["token_ids"].lengths

    def mean_weight(self, head: str) -> float:
        """The weights of an average row together: ``expected_labels`` of the model."""
        units = len(self) // self.choices
        return float(self.weights[head].values.sum() / max(units, 1)) or 1.0


def framed(
    first: Column,
    second: Column | None = None,
    *,
    vocabulary: Vocabulary,
    max_length: int,
) -> tuple[dict[str, Column], Ints]:
    """Put [CLS] and [SEP] around word pieces, and shorten what is too long.

    Args:
        first: int32, ragged, pieces of the first texts.
        second: int32, ragged, pieces of the second texts, if there are any.
        vocabulary: says what the special tokens are.
        max_length: most tokens of a row. The longer text loses its last pieces first,
            the second one if they are as long.

    Returns:
        ``token_ids`` and ``segment_ids``, the inputs of ``Rows``; and int64 ``[R]``,
        the pieces that each row lost.

    Raises:
        ConfigError: ``max_length`` leaves no room for a piece.

    Source:
        google-research/bert ``_truncate_seq_pair``, ``convert_single_example``.
    """
    special = 2 if second is None else 3
    if max_length <= special:
        raise ConfigError(f"max_length={max_length}", expected=f"{special + 1} or more")
    room = max_length - special
    others = np.zeros_like(first.lengths) if second is None else second.lengths
    kept = np.minimum(first.lengths, np.maximum(room - others, (room + 1) // 2))
    kept_others = np.minimum(others, np.maximum(room - first.lengths, room // 2))
    middle = kept + 1  # place of the first [SEP]
    last = middle if second is None else middle + kept_others + 1
    splits = cumulated(last + 1)
    token_ids = np.full(splits[-1], vocabulary.sep_id, np.int32)
    token_ids[splits[:-1]] = vocabulary.cls_id
    _copy(first, kept, token_ids, splits[:-1] + 1)
    segment_ids = np.zeros_like(token_ids)
    if second is not None:
        _copy(second, kept_others, token_ids, splits[:-1] + middle + 1)
        paired, _ = ranges(splits[:-1] + middle + 1, splits[1:])
        segment_ids[paired] = 1
    columns = {
        "token_ids": Column(token_ids, splits),
        "segment_ids": Column(segment_ids, splits),
    }
    return columns, first.lengths + others - kept - kept_others


def _copy(pieces: Column, kept: Ints, token_ids: np.ndarray, places: Ints) -> None:
    """Write the first pieces of each row where they belong."""
    starts = pieces.splits[:-1]
    source, owners = ranges(starts, starts + kept)
    token_ids[places[owners] + source - starts[owners]] = pieces.values[source]
