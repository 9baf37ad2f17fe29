"""Documents → blocks of some megabytes; a block's tokens ↔ one file of flat arrays."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from .. import io
from ..corpus import Document

BLOCK_CHARACTERS = 4 << 20
_HEADER = ("documents", "sentences", "tokens", "empty_documents", "unknown_tokens")
_SMALL_IDS = 1 << 16


def read_blocks(documents: Iterable[Document]) -> Iterator[list[tuple[str, ...]]]:
    """The paragraphs of some documents at a time, about as much text each time.

    A block is the unit of work: where it ends depends on nothing but the corpus.
    """
    block: list[tuple[str, ...]] = []
    size = 0
    for document in documents:
        block.append(document.paragraphs)
        size += sum(map(len, document.paragraphs))
        if size >= BLOCK_CHARACTERS:
            yield block
            block, size = [], 0
    if block:
        yield block


@dataclasses.dataclass(frozen=True)
class Block:
    """The tokens of some documents, in flat arrays, perhaps mapped from a file.

    Args:
        document_sentences: int64 ``[documents + 1]``, where each document begins among
            the sentences.
        document_tokens: int64 ``[documents + 1]``, where it begins among the tokens.
        sentence_lengths: int32 ``[sentences]``, tokens of each sentence, at least one.
        tokens: uint16 or uint32 ``[tokens]``.
        empty_documents: those of which no token was left; they have no other place.
        unknown_tokens: how many tokens are [UNK].
    """

    document_sentences: np.ndarray
    document_tokens: np.ndarray
    sentence_lengths: np.ndarray
    tokens: np.ndarray
    empty_documents: int
    unknown_tokens: int

    def counts(self) -> dict[str, int]:
        """How much it holds."""
        numbers = (
            len(self.document_sentences) - 1,
            len(self.sentence_lengths),
            len(self.tokens),
            self.empty_documents,
            self.unknown_tokens,
        )
        return dict(zip(_HEADER, numbers, strict=True))

    def save(self, path: Path) -> None:
        """Write the block; it appears whole."""
        header = np.array([*self.counts().values(), self.tokens.itemsize], "<i8")
        with io.atomic_file(path) as file:
            for array in (
                header,
                self.document_sentences,
                self.document_tokens,
                self.sentence_lengths,
                self.tokens,
            ):
                file.write(array.data)

    @classmethod
    def open(cls, path: Path) -> "Block":
        """Map a file that ``save`` wrote."""
        mapped = np.memmap(path, np.uint8, mode="r")
        size = 8 * (len(_HEADER) + 1)
        *numbers, itemsize = mapped[:size].view("<i8").tolist()
        documents, sentences, tokens, empty, unknown = numbers
        arrays = []
        for count, dtype in (
            (documents + 1, "<i8"),
            (documents + 1, "<i8"),
            (sentences, "<i4"),
            (tokens, f"<u{itemsize}"),
        ):
            end = size + count * int(dtype[-1])
            arrays.append(mapped[size:end].view(dtype))
            size = end
        return cls(*arrays, empty, unknown)


def block_counts(path: Path) -> dict[str, int]:
    """How much a block's file holds, from its first bytes."""
    with open(path, "rb") as file:
        header = np.frombuffer(file.read(8 * len(_HEADER)), "<i8")
    return dict(zip(_HEADER, header.tolist(), strict=True))


def token_dtype(vocabulary_size: int) -> str:
    """The smallest type that holds every id."""
    return "<u2" if vocabulary_size <= _SMALL_IDS else "<u4"


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """int64: ``start, start + 1, …``, so many as ``counts`` says, for each start."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(
        starts - (ends - counts), counts
    )
