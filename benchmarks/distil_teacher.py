"""A teacher's vectors of the words of pretraining rows, as labels for a student."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

import kbert
from kbert.masking import MaskingSettings
from kbert.pretraining import training_dataset
from kbert.pretraining_data import PretrainingData

TEXTS = 2  # of a row
# Of six steps one has long rows; every step has as many tokens.
SHAPES = {64: 128, 128: 64}
LONG_EVERY = 6
MASKING = MaskingSettings(mask_rate=0.2)
TEACHER_LAYERS = (3, 6)
AHEAD = 12  # steps whose texts the teacher reads at once
Batch = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Words:
    """The words of a batch.

    Args:
        texts: two lists of words for each row, as the row has them unmasked.
        positions: int32 ``[B, W]``, of each word's first token in its row.
        shares: float32 ``[B, 2, W]``: 1 / words of the text where a word is in it.
    """

    texts: list[list[str]]
    positions: np.ndarray
    shares: np.ndarray


class Teacher:
    """Gives the vectors of all words of rows that another vocabulary made."""

    def __init__(self, source: str, student: kbert.Bert) -> None:
        self._extractor = kbert.FeatureExtractor(
            source, layers=TEACHER_LAYERS, compute_dtype="bfloat16"
        ).fit(["a text"])
        self.width = self._extractor.n_features_out_
        vocabulary = student.tokenizer.vocabulary
        self._tokens = [str(token) for token in vocabulary.tokens]
        self._goes_on = np.array([token.startswith("##") for token in self._tokens])
        self._special = np.zeros(len(self._tokens), bool)
        for special in ("pad_id", "cls_id", "sep_id", "mask_id"):
            self._special[getattr(vocabulary, special)] = True
        self._scale: tuple[np.ndarray, np.ndarray] | None = None

    def batches(self, data: str, steps: int, seed: int) -> Iterator[Batch]:
        """Batches of pretraining with the teacher's vectors as further labels."""
        opened = PretrainingData.open(data)
        rows = {
            length: iter(
                training_dataset(
                    opened,
                    length=length,
                    batch_size=size,
                    masking=MASKING,
                    seed=seed,
                ).as_numpy_iterator()
            )
            for length, size in SHAPES.items()
        }
        short, long = SHAPES
        for first in range(0, steps, AHEAD):
            numbers = range(first, min(first + AHEAD, steps))
            lengths = [short if number % LONG_EVERY else long for number in numbers]
            group = [next(rows[length]) for length in lengths]
            words = [self._words(*one) for one in group]
            vectors = self._vectors([text for own in words for text in own.texts])
            for one, own in zip(group, words, strict=True):
                mine = [next(vectors) for _ in own.texts]
                yield _with_teacher(one, own, mine, self.width)

    def _vectors(self, texts: list[list[str]]) -> Iterator[np.ndarray]:
        """float32 ``[words, width]`` of each text, scaled to mean 0 and variance 1."""
        found = self._extractor.transform_words(texts)
        if self._scale is None:
            every = np.concatenate(found)
            # Some places of a vector hardly ever change, and say nothing.
            self._scale = every.mean(axis=0), np.maximum(every.std(axis=0), 0.1)
        mean, deviation = self._scale
        return ((one - mean) / deviation for one in found)

    def _words(self, x: Any, y: Any, weights: Any) -> Words:
        ids = x["token_ids"].copy()
        row, slot = np.nonzero(weights["masked_lm"])
        ids[row, x["mask_positions"][row, slot]] = y["masked_lm"][row, slot]
        firsts = x["padding_mask"] & ~self._special[ids] & ~self._goes_on[ids]
        width = ids.shape[1]
        positions = np.zeros((len(ids), width), np.int32)
        shares = np.zeros((len(ids), TEXTS, width), np.float32)
        texts = []
        for number, own in enumerate(ids):
            places = np.flatnonzero(firsts[number])
            positions[number, : len(places)] = places
            segments = x["segment_ids"][number, places]
            words = [self._word(own, place) for place in places.tolist()]
            for text in range(TEXTS):
                inside = np.flatnonzero(segments == text)
                texts.append([words[place] for place in inside])
                shares[number, text, inside] = 1 / max(len(inside), 1)
        return Words(texts, positions, shares)

    def _word(self, ids: np.ndarray, place: int) -> str:
        parts = [self._tokens[ids[place]]]
        while place + 1 < len(ids) and self._goes_on[ids[place + 1]]:
            place += 1
            parts.append(self._tokens[ids[place]].removeprefix("##"))
        return "".join(parts)


def _with_teacher(
    batch: Batch, words: Words, vectors: list[np.ndarray], width: int
) -> Batch:
    x, y, weights = batch
    labels = np.zeros((*words.positions.shape, width), np.float32)
    for number in range(len(labels)):
        own = np.concatenate(vectors[TEXTS * number : TEXTS * (number + 1)])
        labels[number, : len(own)] = own
    known = words.shares.sum(axis=1) > 0
    return (
        {**x, "word_positions": words.positions},
        {**y, "words": labels, "texts": words.shares @ labels},
        {
            **weights,
            "words": known.astype(np.float32),
            "texts": (words.shares.sum(axis=2) > 0).astype(np.float32),
        },
    )
