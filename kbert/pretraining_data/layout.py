"""Documents in the order of the blocks → their split and shard; names of the files."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal

import numpy as np

from ..errors import ConfigError, InputError
from .settings import PretrainingDataSettings

Split = Literal["train", "evaluation"]
SPLITS: tuple[Split, ...] = ("train", "evaluation")
VOCABULARY = "vocab.txt"
_DEFAULT_SHARDS = 16
_SHARD_TOKENS = 8 << 20  # a shard is made in memory, with some 20 bytes for each


def shard_name(split: Split, length: int, index: int, count: int) -> str:
    """The name of a file: ``train-128-00000-of-00016.tfrecord``."""
    return f"{split}-{length}-{index:05d}-of-{count:05d}.tfrecord"


@dataclasses.dataclass(frozen=True)
class Layout:
    """Which document goes where.

    Documents are dealt out one by one like cards, in the order in which the blocks hold
    them, which is random within a block. So each shard gets its share of every part of
    the corpus, and as many documents as any other, give or take one.

    Args:
        documents: how many there are.
        evaluation_documents: how many of them are held out.
        shards: files of each split, for each length.
    """

    documents: int
    evaluation_documents: int
    shards: dict[Split, int]

    def documents_of(
        self, split: Split, shard: int, first: int, count: int
    ) -> np.ndarray:
        """int64: which of the documents ``first`` … belong to one shard, from 0.

        Args:
            split: of the shard.
            shard: its number.
            first: number of the block's first document, in the whole corpus.
            count: documents of the block.
        """
        numbers = first + np.arange(count + 1)
        # How many were held out before each one: as even as whole numbers can be.
        before = numbers * self.evaluation_documents // self.documents
        held_out = before[1:] > before[:-1]
        if split == "evaluation":
            chosen, place = held_out, before[:-1]
        else:
            chosen, place = ~held_out, numbers[:-1] - before[:-1]
        return np.flatnonzero(chosen & (place % self.shards[split] == shard))


def plan_layout(settings: PretrainingDataSettings, counts: Mapping[str, int]) -> Layout:
    """Decide how many documents are held out, and how many shards there are.

    Args:
        settings: what was asked for.
        counts: ``documents`` with at least one token, and the ``tokens`` of all.

    Raises:
        InputError: there are too few documents.
        ConfigError: more shards were asked for than there are documents for.
    """
    least, documents = settings.least_documents, counts["documents"]
    if documents < least:
        raise _too_few(documents)
    held_out = _held_out(settings, documents)
    trained = documents - held_out
    most = trained // least
    shards = settings.shards
    if shards is None:
        share = counts["tokens"] * settings.copies * trained / documents
        shards = min(most, max(_DEFAULT_SHARDS, math.ceil(share / _SHARD_TOKENS)))
    elif shards > most:
        each = f"{least} for each" if least > 1 else "one for each"
        raise ConfigError(
            f"shards={shards} for {trained} documents",
            expected=f"at most {most}, {each}",
        )
    evaluation = math.ceil(shards * held_out / trained / settings.copies)
    evaluation = min(evaluation, held_out // least)
    return Layout(documents, held_out, {"train": shards, "evaluation": evaluation})


def _held_out(settings: PretrainingDataSettings, documents: int) -> int:
    least = settings.least_documents
    if not settings.evaluation_fraction or documents < 2 * least:
        return 0
    asked = round(settings.evaluation_fraction * documents)
    return min(max(asked, least), documents - least)


def _too_few(documents: int) -> InputError:
    if not documents:
        return InputError("nothing is left of the corpus once it is tokenized")
    return InputError(
        "the corpus is one document, and objective nsp takes the second part of half "
        "of the pairs from another one",
        hint="Put an empty line between documents, or choose objective sop or none.",
    )
