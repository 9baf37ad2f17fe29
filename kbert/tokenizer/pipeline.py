"""UTF-8 strings → the ids and places of their pieces, in TensorFlow ops on the CPU.

Texts repeat their words: each distinct one between two spaces is worked out once.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from ..vocabulary import Vocabulary
from .flat import ragged
from .normalization import split_words, tables_in_graph
from .unicode_tables import folding_tables
from .wordpiece import Pieces, WordPiece

Graph = Callable[[tf.Tensor], Any]


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
    """The graphs behind ``Tokenizer``, for string ``[B]``, each traced when needed.

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

    @functools.cached_property
    def tokenize(self) -> Graph:
        """Texts → int32 ``[B, (T)]``, the pieces of each."""
        return traced(self._tokenize)

    @functools.cached_property
    def tokenize_words(self) -> Graph:
        """The same without looking for blanks first: faster where there are none."""
        return traced(self._tokenize_words)

    @functools.cached_property
    def place(self) -> Graph:
        """Texts → ``PlacedPieces``, the pieces of each and where they come from."""
        return traced(self._place)

    def _tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        with tf.device("CPU:0"):
            units = tf.strings.split(texts, sep=" ")
            by_unit = self._tokenize_words(units.values)
            splits = tf.gather(by_unit.row_splits, units.row_splits)
            return ragged(by_unit.values, splits)

    def _tokenize_words(self, words: tf.Tensor) -> tf.RaggedTensor:
        with tf.device("CPU:0"):
            distinct, numbers = tf.unique(words, out_idx=tf.int64)
            ids, splits = self._look_up(distinct)
            return tf.gather(ragged(ids, splits), numbers)

    def _look_up(self, texts: tf.Tensor) -> Pieces:
        words = split_words(texts, tables_in_graph(self._tables))
        ids, splits = self._word_piece.look_up(words)
        return Pieces(ids, tf.gather(splits, words.text_splits))

    def _place(self, texts: tf.Tensor) -> PlacedPieces:
        with tf.device("CPU:0"):
            words = split_words(texts, tables_in_graph(self._tables))
            pieces = self._word_piece.look_up(words)
            splits = tf.gather(pieces.splits, words.text_splits)
            columns = (pieces.ids, *self._word_piece.locate(words, pieces))
            return PlacedPieces(*(ragged(column, splits) for column in columns))


def traced(function: Graph) -> Graph:
    """The graph of a function of one string ``[B]``."""
    strings = tf.TensorSpec([None], tf.string)
    with tf.init_scope():  # the first call may come from inside another graph
        return tf.function(function, autograph=False).get_concrete_function(strings)
