"""Sentences → rows of the model in which every word with a piece stands once."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from ...errors import ConfigError
from ...features.rows import unit_rows
from ...features.splits import Ints, cumulated, ranges
from ...features.units import UnitMaker
from ...features.windows import plan_context_windows, plan_windows
from ...metrics.tag_schemes import Scheme, entities_of, tags_of
from ...readers import Item
from ...tokenizer import Tokenizer
from ..rows import Column, framed

Context = Literal["none", "document"]

_FEWEST = 3  # tokens of a window: [CLS], one piece and [SEP]


@dataclasses.dataclass(frozen=True)
class WordRows:
    """Rows of tokens, and which words they answer for.

    Args:
        inputs: ``token_ids`` and ``segment_ids`` of each row.
        sentences: int64 ``[R]``, the sentence that each row is of.
        places: int64 ``[N]``, the place in its row of each word's first piece.
        words: int64 ``[N]``, that word, counted through all sentences.
        splits: int64 ``[R + 1]``; row *i* has words ``splits[i]:splits[i + 1]``.
    """

    inputs: dict[str, Column]
    sentences: Ints
    places: Ints
    words: Ints
    splits: Ints

    def only(self, kept: np.ndarray) -> "WordRows":
        """The same rows with fewer words.

        Args:
            kept: bool ``[N]``.
        """
        row = np.repeat(np.arange(len(self.sentences)), np.diff(self.splits))
        counts = np.bincount(row[kept], minlength=len(self.sentences))
        return dataclasses.replace(
            self,
            places=self.places[kept],
            words=self.words[kept],
            splits=cumulated(counts),
        )


def word_rows(
    sentences: Sequence[Item],
    tokenizer: Tokenizer,
    *,
    max_length: int,
    stride: int | None,
    context: Context,
) -> WordRows:
    """Cut what is too long into windows; each word is answered for by one of them.

    That is the window with most context around it (see ``plan_windows``). Words of
    which the tokenizer leaves no piece are in none.

    Args:
        sentences: in order; documents stand together.
        tokenizer: of the model.
        max_length: most tokens of a row.
        stride: pieces from the start of a window to the next; ``None``, half of one.
        context: ``document`` fills the rest of a row with what stands around it.

    Raises:
        ConfigError: ``max_length`` or ``stride`` leaves words out.
    """
    stride = _checked_stride(stride, max_length)
    units = UnitMaker(tokenizer, "word")(sentences)
    if context == "document":
        windows = plan_context_windows(
            units.pieces,
            np.array([item.document for item in sentences]),
            targets=range(len(sentences)),
            max_length=max_length,
            stride=stride,
        )
    else:
        windows = plan_windows(units.pieces, max_length=max_length, stride=stride)
    placed = unit_rows(units, windows, keep="first")
    counts = np.bincount(placed.window, minlength=len(windows))
    (used,) = np.nonzero(counts)
    start, stop = windows.start[used], windows.stop[used]
    shown, _ = ranges(start, stop)
    inputs, _ = framed(
        Column(units.pieces.ids[shown], cumulated(stop - start)),
        vocabulary=tokenizer.vocabulary,
        max_length=max_length,
    )
    return WordRows(
        inputs=inputs,
        sentences=windows.text[used],
        places=placed.places,
        words=placed.unit,
        splits=cumulated(counts[used]),
    )


def regular_tags(tags: Sequence[str], scheme: Scheme) -> list[str]:
    """The same entities, as conlleval reads them, in tags that keep to the scheme."""
    return tags_of(entities_of(tags, scheme), len(tags), scheme)


def whole_entities(
    rows: WordRows, tags: Sequence[Sequence[str]], scheme: Scheme
) -> WordRows:
    """Leave out words of entities that two rows share.

    In neither row would their tags be a sequence that the scheme writes.

    Args:
        rows: of sentences.
        tags: of all their words.
        scheme: of the tags.
    """
    starts = cumulated([len(own) for own in tags])
    row = np.full(starts[-1], -1)
    row[rows.words] = np.repeat(np.arange(len(rows.sentences)), np.diff(rows.splits))
    shared = np.zeros(starts[-1], bool)
    for own, first in zip(tags, starts.tolist(), strict=False):
        for _, start, end in entities_of(own, scheme):
            part = slice(first + start, first + end)
            shared[part] = (row[part] != row[part.start]).any()
    return rows.only(~shared[rows.words])


def row_tags(
    rows: WordRows, tags: Sequence[Sequence[str]], scheme: Scheme
) -> list[list[str]]:
    """The tags of the words of each row, as the scheme writes that row alone.

    In IOB1, B- tells an entity from the one before it. Where that one is in another
    row, or left out, it is I-: the row has no tag that B- could follow.

    Args:
        rows: of whole entities.
        tags: of all words of the sentences, which keep to the scheme.
        scheme: of the tags.
    """
    every = [tag for own in tags for tag in own]
    return [
        regular_tags([every[word] for word in words.tolist()], scheme)
        for words in np.split(rows.words, rows.splits[1:-1])
    ]


def _checked_stride(stride: int | None, max_length: int) -> int:
    room = max_length - 2
    if max_length < _FEWEST:
        raise ConfigError(f"max_length={max_length}", expected=f"{_FEWEST} or more")
    if stride is not None and not 1 <= stride <= room:
        raise ConfigError(
            f"stride={stride} with max_length={max_length}",
            expected=f"a stride of 1 to {room} pieces",
        )
    return stride or max(1, room // 2)
