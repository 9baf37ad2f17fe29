"""UTF-8 strings → the ids and places of their pieces, in TensorFlow ops on the CPU.

Texts repeat their words: each distinct one between two spaces is worked out once.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from ..vocabulary import Vocabulary
from .normalization import split_words
from .unicode_tables import FoldingTables, folding_tables
from .wordpiece import Pieces, WordPiece


class PlacedPieces(NamedTuple):
    """The pieces of texts, each with its place in its text.

    Args:
        token_ids: int32 ``[B, (T)]``, ragged.
        starts: int64 ``[B, (T)]``, first character of each piece.
        ends: int64 ``[B, (T)]``, one after its last character.
    """

    token_ids: tf.RaggedTensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor


class Pipeline:
    """The graphs behind ``Tokenizer``, each traced once, for string ``[B]``.

    Args:
        vocabulary: the tokens.
        lowercase: see ``Tokenizer``.
        strip_accents: see ``Tokenizer``.
    """

    def __init__(
        self, vocabulary: Vocabulary, *, lowercase: bool, strip_accents: bool
    ) -> None:
        self._word_piece = WordPiece(vocabulary)
        self._tables = folding_tables(lowercase=lowercase, strip_accents=strip_accents)
        self.tokenize = _graph(self._tokenize)
        self.tokenize_words = _graph(self._tokenize_words)
        self.place = _graph(self._place)

    def _tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """int32 ``[B, (T)]``: the pieces of each text."""
        with tf.device("CPU:0"):
            units = tf.strings.split(texts, sep=" ")
            by_unit = self._tokenize_words(units.values)
            splits = tf.gather(by_unit.row_splits, units.row_splits)
            return _ragged(by_unit.values, splits)

    def _tokenize_words(self, words: tf.Tensor) -> tf.RaggedTensor:
        """The same without looking for spaces first: faster where there are none."""
        with tf.device("CPU:0"):
            distinct, numbers = tf.unique(words, out_idx=tf.int64)
            ids, splits = self._look_up(distinct)
            return tf.gather(_ragged(ids, splits), numbers)

    def _look_up(self, texts: tf.Tensor) -> Pieces:
        words = split_words(texts, self._tables_in_graph())
        ids, splits = self._word_piece.look_up(words)
        return Pieces(ids, tf.gather(splits, words.text_splits))

    def _place(self, texts: tf.Tensor) -> PlacedPieces:
        """The pieces of each text and where they come from."""
        with tf.device("CPU:0"):
            words = split_words(texts, self._tables_in_graph())
            pieces = self._word_piece.look_up(words)
            splits = tf.gather(pieces.splits, words.text_splits)
            columns = (pieces.ids, *self._word_piece.locate(words, pieces))
            return PlacedPieces(*(_ragged(column, splits) for column in columns))

    def _tables_in_graph(self) -> FoldingTables:
        arrays = {
            field.name: tf.constant(getattr(self._tables, field.name))
            for field in dataclasses.fields(self._tables)
            if field.name not in ("lowercase", "strip_accents")
        }
        return dataclasses.replace(self._tables, **arrays)


def _graph(
    function: Callable[[tf.Tensor], Any],
) -> Callable[[tf.Tensor], Any]:
    strings = tf.TensorSpec([None], tf.string)
    return tf.function(function, input_signature=[strings], autograph=False)


def _ragged(values: tf.Tensor, splits: tf.Tensor) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_row_splits(values, splits, validate=False)
