"""Texts → word pieces, the units that get a row each, and what was lost of them."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from ..readers import Item
from ..store import STATUSES
from ..tokenizer import Tokenizer
from ..vocabulary import CONTINUATION
from .settings import Unit
from .splits import Ints, cumulated
from .windows import Pieces

OK, UNK, EMPTY, TRUNCATED = map(STATUSES.index, ("ok", "unk", "empty", "truncated"))


@dataclasses.dataclass(frozen=True)
class Units:
    """The pieces of some texts, and which of them each row stands for.

    Args:
        pieces: of all texts.
        splits: int64 ``[units + 1]``; unit *u* is made of pieces
            ``splits[u]:splits[u + 1]``, perhaps none.
        text_splits: int64 ``[texts + 1]``; text *i* has units
            ``text_splits[i]:text_splits[i + 1]``.
        status: uint8 ``[units]``: ok, unk (one of its pieces is [UNK]), or empty.
        names: for each text, its words or pieces, for people to read.
        offsets: for each text cut into tokens, the ``[start, end]`` of each piece, in
            characters; ``None`` for a pair, and for words.
    """

    pieces: Pieces
    splits: Ints
    text_splits: Ints
    status: np.ndarray
    names: list[list[str]] | None = None
    offsets: list[list[list[int]] | None] | None = None


class UnitMaker:
    """Tokenizes items, and says what gets a row.

    Args:
        tokenizer: of the model.
        unit: what gets a row. Raw text is split into words at blanks.
    """

    def __init__(self, tokenizer: Tokenizer, unit: Unit) -> None:
        self._tokenizer, self._unit = tokenizer, unit
        tokens = tokenizer.vocabulary.tokens
        self._continues = np.array([one.startswith(CONTINUATION) for one in tokens])

    def __call__(self, items: Sequence[Item]) -> Units:
        """The units of some items, which have text or words."""
        if self._unit == "word":
            return self._words(items)
        pieces = self._pieces([_parts(item) for item in items], items)
        if self._unit == "sentence":
            splits = pieces.text_splits
            texts = np.arange(len(items) + 1)
            return Units(pieces, splits, texts, self._status(pieces.ids, splits))
        splits = np.arange(len(pieces.ids) + 1)
        return Units(
            pieces,
            splits,
            pieces.text_splits,
            self._status(pieces.ids, splits),
            self._names(pieces),
            self._offsets(items),
        )

    def _words(self, items: Sequence[Item]) -> Units:
        words = [words_of(item) for item in items]
        pieces, splits = self._encode(words, items)
        text_splits = cumulated([len(own) for own in words])
        status = self._status(pieces.ids, splits)
        return Units(pieces, splits, text_splits, status, [list(own) for own in words])

    def _pieces(self, parts: list[Sequence[str]], items: Sequence[Item]) -> Pieces:
        return self._encode(parts, items)[0]

    def _encode(
        self, parts: list[Sequence[str]], items: Sequence[Item]
    ) -> tuple[Pieces, Ints]:
        """Pieces of the parts (words, or texts) of each item; splits of the parts."""
        ids, splits = self._tokenizer.encode_words(
            [one for own in parts for one in own]
        )
        part_splits = cumulated([len(own) for own in parts])
        begins_word = ~self._continues[ids] if self._unit != "word" else ids < 0
        # A part begins a word even if its first piece looks like a continuation.
        begins_word[splits[:-1][np.diff(splits) > 0]] = True
        pair_starts = [
            -1 if item.text_pair is None else splits[first + _first_parts(item, own)]
            for item, own, first in zip(items, parts, part_splits, strict=False)
        ]
        pieces = Pieces(
            ids=ids,
            text_splits=splits[part_splits],
            begins_word=begins_word,
            pair_starts=np.array(pair_starts, np.int64),
        )
        return pieces, splits

    def _status(self, ids: np.ndarray, splits: Ints) -> np.ndarray:
        unknown = cumulated(ids == self._tokenizer.vocabulary.unk_id)
        has_unknown = unknown[splits[1:]] > unknown[splits[:-1]]
        status = np.where(has_unknown, UNK, OK)
        return np.where(np.diff(splits) == 0, EMPTY, status).astype(np.uint8)

    def _names(self, pieces: Pieces) -> list[list[str]]:
        tokens = self._tokenizer.vocabulary.tokens
        edges = itertools.pairwise(pieces.text_splits.tolist())
        return [[tokens[one] for one in pieces.ids[a:b].tolist()] for a, b in edges]

    def _offsets(self, items: Sequence[Item]) -> list[list[list[int]] | None]:
        """Of the items that are one text, the characters of each piece."""
        texts = [None if item.text_pair is not None else item.text for item in items]
        placed = self._tokenizer.tokenize_with_offsets(
            [text for text in texts if text is not None]
        )
        both = zip(placed.starts.to_list(), placed.ends.to_list(), strict=True)
        spans = (list(map(list, zip(*one, strict=True))) for one in both)
        return [None if text is None else next(spans) for text in texts]


def words_of(item: Item) -> Sequence[str]:
    """The words of an item; raw text is split at blanks, both parts of a pair."""
    if item.words is not None:
        return item.words
    return [word for part in _parts(item) for word in part.split()]


def _parts(item: Item) -> Sequence[str]:
    if item.words is not None:
        return item.words
    texts = (item.text, item.text_pair)
    return [text for text in texts if text is not None]


def _first_parts(item: Item, parts: Sequence[str]) -> int:
    """How many parts of a pair belong to its first text."""
    text = item.text or ""
    return 1 if list(parts) == [text, item.text_pair] else len(text.split())
