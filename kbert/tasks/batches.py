"""Rows → batches of few different lengths, in an order that the step number decides."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from ..errors import ConfigError
from ..features.splits import Ints
from .frozen import FrozenModel
from .rows import Column, Rows
from .widths import choose_widths, fitting_width

_WORDS = "word_positions"
_WORDS_STEP = 16
_POOL = 64  # batches among which rows of like lengths are looked for

Arrays = dict[str, np.ndarray]


def steps_per_epoch(rows: Rows, batch_size: int) -> int:
    """Batches in which every row is seen once; the last one may not be full.

    Raises:
        ConfigError: ``batch_size`` is below 1.
    """
    if batch_size < 1:
        raise ConfigError(f"batch_size={batch_size}", expected="1 or more")
    return math.ceil(len(rows) // rows.choices / batch_size)


def training_batches(
    rows: Rows,
    *,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    bucketed: bool = True,
    host: int = 0,
    num_hosts: int = 1,
) -> tf.data.Dataset:
    """Every row once in each epoch, epoch after epoch: an endless dataset of batches.

    It is a function of the arguments alone, so a run resumes from its step.

    Args:
        rows: with labels.
        batch_size: B, over all hosts; questions, where a question has several rows.
            Places that the last batch of an epoch has too many have weight 0.
        seed: decides the order.
        start_step: batches that were taken before.
        bucketed: whether rows of like lengths share a batch; else every batch is as
            long as the longest row of all.
        host: which host this is.
        num_hosts: hosts that share each batch; each gets an equal part.

    Returns:
        Elements ``(x, y, sample_weight)``; x has the inputs of the rows, padded, and
        ``padding_mask``, bool ``[B, T]``; see ``kbert.build_task_model``.

    Raises:
        ConfigError: ``batch_size`` is below 1, or the rows have no labels.
    """
    if not rows.targets:
        raise ConfigError(
            "rows without labels", expected="those of task.rows(…, training=True)"
        )
    plan = _Plan(rows, batch_size, seed=seed, bucketed=bucketed)

    def elements() -> Iterator[tuple[Arrays, Arrays, Arrays]]:
        for units in plan.batches(start_step):
            # Of the whole batch: its shapes have to be the same on all hosts.
            widths = _Widths.of(rows, units, plan.width(units))
            own = units[host::num_hosts]
            yield (
                _inputs(rows, own, widths),
                _labels(rows.targets, own, widths),
                _labels(rows.weights, own, widths),
            )

    signature = _signature(next(elements()))
    dataset = tf.data.Dataset.from_generator(elements, output_signature=signature)
    return dataset.prefetch(4)


def row_outputs(
    model: keras.Model | FrozenModel,
    rows: Rows,
    *,
    batch_size: int,
    progress: Callable[[int, int], None] = lambda rows, tokens: None,
) -> list[np.ndarray]:
    """What the model says of every row, or question, in their order.

    Args:
        model: of ``build_task_model``; or one that is frozen.
        rows: labels are not needed.
        batch_size: B.
        progress: told of the rows, or questions, of each batch, and of their tokens.

    Returns:
        float32, without padding: ``[C]``, ``[W, C]``, ``[T, 2]`` or ``[n]``.
    """
    units = np.arange(len(rows) // rows.choices)
    if not len(units):
        return []
    lengths = _unit_lengths(rows)
    order = units[np.argsort(-lengths, kind="stable")]
    widths = choose_widths(lengths, batch_size)
    found: list[Any] = [None] * len(units)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        # Full batches only: every other shape would be compiled anew.
        filled = np.full(batch_size, -1)
        filled[: len(chosen)] = chosen
        width = fitting_width(widths, int(lengths[chosen].max()))
        inputs = _inputs(rows, filled, _Widths.of(rows, filled, width))
        (logits,) = model.predict_on_batch(inputs).values()
        for place, unit in enumerate(chosen.tolist()):
            found[unit] = _unpadded(rows, unit, np.asarray(logits[place], np.float32))
        progress(len(chosen), int(lengths[chosen].sum()))
    return found


class _Plan:
    """Which units (rows, or questions) are in which batch."""

    def __init__(
        self, rows: Rows, batch_size: int, *, seed: int, bucketed: bool
    ) -> None:
        self._lengths = _unit_lengths(rows)
        self._batch_size, self._seed, self._bucketed = batch_size, seed, bucketed
        self._steps = steps_per_epoch(rows, batch_size)
        self._widths = choose_widths(self._lengths, batch_size)

    def batches(self, start_step: int) -> Iterator[Ints]:
        """int64 ``[B]`` each: numbers of units, −1 where there are too few."""
        epoch, step = divmod(start_step, self._steps)
        while True:
            yield from self._epoch(epoch)[step:]
            epoch, step = epoch + 1, 0

    def width(self, units: Ints) -> int:
        """T of a batch."""
        if not self._bucketed:
            return self._widths[-1]
        longest = self._lengths[units[units >= 0]].max()
        return fitting_width(self._widths, int(longest))

    def _epoch(self, epoch: int) -> Ints:
        """int64 ``[steps, B]``."""
        generator = np.random.default_rng([self._seed, epoch])
        order = generator.permutation(len(self._lengths))
        if self._bucketed:
            pool = _POOL * self._batch_size
            order = np.concatenate(
                [
                    self._sorted(order[start : start + pool])
                    for start in range(0, len(order), pool)
                ]
            )
        filled = np.full(self._steps * self._batch_size, -1)
        filled[: len(order)] = order
        batches = filled.reshape(self._steps, self._batch_size)
        return generator.permutation(batches) if self._bucketed else batches

    def _sorted(self, units: Ints) -> Ints:
        return units[np.argsort(-self._lengths[units], kind="stable")]


class _Widths(NamedTuple):
    """How long the rows of a batch are.

    Args:
        tokens: T.
        words: of a tagger W, labels included; else T.
    """

    tokens: int
    words: int

    @classmethod
    def of(cls, rows: Rows, units: Ints, width: int) -> "_Widths":
        """T is ``width``; W too, unless the words are far fewer than the tokens.

        The vectors of the words are all that the last layer computes. That saves little
        where most tokens begin a word, less than compiling one more width costs; where
        the words stand in a long context, it saves nearly the whole layer.
        """
        if _WORDS not in rows.inputs:
            return cls(width, width)
        counts = rows.inputs[_WORDS].lengths[units[units >= 0]]
        longest = int(counts.max(initial=1))
        if 2 * longest > width:
            return cls(width, width)
        return cls(width, -(-longest // _WORDS_STEP) * _WORDS_STEP)


def _unit_lengths(rows: Rows) -> Ints:
    """Tokens of each row; of each question, those of its longest row."""
    return rows.lengths.reshape(-1, rows.choices).max(axis=1)


def _inputs(rows: Rows, units: Ints, widths: _Widths) -> Arrays:
    numbers = units
    if rows.choices > 1:
        every = units[:, None] * rows.choices + np.arange(rows.choices)  # [B, n]
        numbers = np.where(units[:, None] < 0, -1, every).reshape(-1)
    arrays = {
        name: column.padded(numbers, widths.words if name == _WORDS else widths.tokens)
        for name, column in rows.inputs.items()
    }
    lengths = np.where(numbers < 0, 1, rows.lengths[numbers])  # never nothing to see
    arrays["padding_mask"] = np.arange(widths.tokens)[None] < lengths[:, None]
    if rows.choices > 1:
        together = (len(units), rows.choices, -1)
        arrays = {name: array.reshape(together) for name, array in arrays.items()}
    return arrays


def _labels(columns: Mapping[str, Column], units: Ints, widths: _Widths) -> Arrays:
    return {name: one.padded(units, widths.words) for name, one in columns.items()}


def _unpadded(rows: Rows, unit: int, logits: np.ndarray) -> np.ndarray:
    if _WORDS in rows.inputs:
        return logits[: rows.inputs[_WORDS].lengths[unit]]
    if logits.ndim == 2:  # of each token
        return logits[: rows.lengths[unit]]
    return logits


def _signature(element: Any) -> Any:
    """The shapes of an element, open where batches differ."""

    def spec(array: np.ndarray) -> tf.TensorSpec:
        # The number of rows is known, so that devices can share them.
        return tf.TensorSpec([len(array), *[None] * (array.ndim - 1)], array.dtype)

    return tf.nest.map_structure(spec, element)
