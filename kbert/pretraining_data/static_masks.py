"""Rows → records of Google's schema: padded, with masks drawn once and for all."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from ..vocabulary import CONTINUATION, SPECIAL_TOKENS, Vocabulary
from .blocks import ranges
from .examples import Varints, example, floats_feature, integers_feature
from .rows import Rows
from .settings import MASK_RATE

_MASKED, _KEPT = 0.8, 0.9  # the rest becomes a random token


class _Batch(NamedTuple):
    """Rows put together.

    Args:
        ids: int64 ``[B, T]``, padded.
        segments: bool ``[B, T]``, whether the second part.
        own: bool ``[B, T]``, whether a token of the text: no special token, no padding.
        sizes: int64 ``[B]``, tokens of each row.
    """

    ids: np.ndarray
    segments: np.ndarray
    own: np.ndarray
    sizes: np.ndarray


class _Masks(NamedTuple):
    """What is to be predicted.

    Args:
        positions: int64 ``[B, M]``, in order; 0 where there is none.
        ids: int64 ``[B, M]``, what stood there; 0 where there is none.
        weights: float32 ``[B, M]``, 1 for each mask, else 0.
    """

    positions: np.ndarray
    ids: np.ndarray
    weights: np.ndarray


def static_records(
    rows: Rows,
    tokens: np.ndarray,
    vocabulary: Vocabulary,
    *,
    length: int,
    masking: str,
    max_predictions: int,
    batch: int,
    seed: str,
) -> Iterator[Sequence[bytes]]:
    """Records as Google's ``create_pretraining_data.py`` writes them.

    Args:
        rows: which tokens stand together.
        tokens: ``[N]``, of the shard.
        vocabulary: for special tokens, continued words and random tokens.
        length: T, of every record.
        masking: as ``StaticMasks.masking``.
        max_predictions: M, the most masks of a row.
        batch: records at a time.
        seed: decides all masks.

    Source:
        google-research/bert ``create_masked_lm_predictions``. Differs: a random token
        is never a special one; a word never goes on across [SEP].
    """
    random = np.random.Generator(np.random.PCG64(_number(seed)))
    continues = _continues(vocabulary)
    for begin in range(0, len(rows.labels), batch):
        end = begin + batch
        put = _put_together(rows.parts[begin:end], tokens, vocabulary, length=length)
        wanted = np.round(put.sizes * MASK_RATE).astype(np.int64)
        wanted = np.minimum(np.maximum(wanted, 1), max_predictions)
        if masking == "token":
            chosen = _choose_tokens(put, wanted, random)
        else:
            chosen = _choose_words(put, wanted, random, continues)
        masks = _masks(put, chosen, max_predictions)
        _replace(put, chosen, random, vocabulary)
        yield _encoded(put, masks, rows.labels[begin:end])


def _put_together(
    parts: np.ndarray, tokens: np.ndarray, vocabulary: Vocabulary, *, length: int
) -> _Batch:
    """[CLS] A [SEP], or [CLS] A [SEP] B [SEP], and padding."""
    starts, sizes = parts[:, [0, 2]], parts[:, [1, 3]] - parts[:, [0, 2]]
    first_end = sizes[:, 0] + 2
    totals = first_end + np.where(sizes[:, 1] > 0, sizes[:, 1] + 1, 0)
    ids = np.full((len(parts), length), vocabulary.pad_id, np.int64)
    own = np.zeros(ids.shape, bool)
    lines = np.arange(len(parts))
    for part, begin in ((0, np.ones_like(first_end)), (1, first_end)):
        places = ranges(lines * length + begin, sizes[:, part])
        ids.flat[places] = tokens[ranges(starts[:, part], sizes[:, part])]
        own.flat[places] = True
    ids[:, 0] = vocabulary.cls_id
    ids[lines, first_end - 1] = vocabulary.sep_id
    ids[lines, totals - 1] = vocabulary.sep_id
    columns = np.arange(length)
    segments = (columns >= first_end[:, None]) & (columns < totals[:, None])
    return _Batch(ids, segments, own, totals)


def _choose_tokens(
    batch: _Batch, wanted: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """bool ``[B, T]``: ``wanted`` tokens of each row."""
    keys = np.where(batch.own, random.random(batch.own.shape), 2.0)
    ranks = np.argsort(np.argsort(keys, axis=1, kind="stable"), axis=1, kind="stable")
    return (ranks < wanted[:, None]) & batch.own


def _choose_words(
    batch: _Batch,
    wanted: np.ndarray,
    random: np.random.Generator,
    continues: np.ndarray,
) -> np.ndarray:
    """bool ``[B, T]``: whole words, until a row has ``wanted`` tokens.

    A word that would be too many is left out, and others are tried.
    """
    chosen = np.zeros(batch.own.shape, bool)
    before = np.pad(batch.own[:, :-1], ((0, 0), (1, 0)))
    begins = batch.own & ~(continues[batch.ids] & before)
    keys = random.random(batch.own.shape)
    for row, room in enumerate(wanted.tolist()):
        starts = np.flatnonzero(begins[row])
        own = np.flatnonzero(batch.own[row])
        ends = own[np.append(np.searchsorted(own, starts)[1:], len(own)) - 1] + 1
        order = np.argsort(keys[row, starts], kind="stable")
        for start, end in zip(
            starts[order].tolist(), ends[order].tolist(), strict=True
        ):
            if end - start <= room:
                chosen[row, start:end] = True
                room -= end - start
            if not room:
                break
    return chosen


def _masks(batch: _Batch, chosen: np.ndarray, most: int) -> _Masks:
    lines, columns = np.nonzero(chosen)
    counts = chosen.sum(axis=1)
    slots = ranges(np.arange(len(counts)) * most, counts)
    positions, ids = np.zeros((2, len(counts), most), np.int64)
    weights = np.zeros((len(counts), most), "<f4")
    positions.flat[slots] = columns
    ids.flat[slots] = batch.ids[lines, columns]
    weights.flat[slots] = 1.0
    return _Masks(positions, ids, weights)


def _replace(
    batch: _Batch,
    chosen: np.ndarray,
    random: np.random.Generator,
    vocabulary: Vocabulary,
) -> None:
    """Hide the chosen tokens, in ``batch`` itself: 80 % [MASK], 10 % a random token."""
    special = [vocabulary.ids[token] for token in SPECIAL_TOKENS]
    ordinary = np.delete(np.arange(len(vocabulary)), special)
    kinds, picks = random.random((2, int(chosen.sum())))
    others = ordinary[(picks * len(ordinary)).astype(np.int64)]
    hidden = np.where(kinds < _KEPT, batch.ids[chosen], others)
    batch.ids[chosen] = np.where(kinds < _MASKED, vocabulary.mask_id, hidden)


def _encoded(batch: _Batch, masks: _Masks, labels: np.ndarray) -> list[bytes]:
    """The Examples; features in the order of their names."""
    count, length = batch.ids.shape
    padding = np.arange(length) < batch.sizes[:, None]
    columns = (
        ("input_ids", _rows(batch.ids)),
        ("input_mask", _rows(padding)),
        ("masked_lm_ids", _rows(masks.ids)),
        ("masked_lm_positions", _rows(masks.positions)),
        ("next_sentence_labels", _rows(labels[:, None])),
        ("segment_ids", _rows(batch.segments)),
    )
    records = []
    for row in range(count):
        features = [integers_feature(name, values[row]) for name, values in columns]
        weights = floats_feature("masked_lm_weights", masks.weights[row].tobytes())
        records.append(example([*features[:4], weights, *features[4:]]))
    return records


def _rows(values: np.ndarray) -> list[bytes]:
    """The varints of each row of a matrix."""
    count, width = values.shape
    starts = np.arange(count) * width
    return Varints(values.ravel()).slices(starts, starts + width)


def _continues(vocabulary: Vocabulary) -> np.ndarray:
    """bool ``[V]``: whether a token goes on with a word."""
    return np.array([token.startswith(CONTINUATION) for token in vocabulary.tokens])


def _number(seed: str) -> int:
    return int.from_bytes(sha256(seed.encode("utf-8")).digest(), "little")
