"""Words → the ids of their pieces: greedy, longest first, as the original does."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_text

from ..errors import InputError
from ..vocabulary import CONTINUATION, UNK, Vocabulary
from .flat import ragged, rows_of
from .normalization import Words

MAX_WORD_CHARACTERS = 200
_MAX_WORD_BYTES = 4 * MAX_WORD_CHARACTERS
_TOO_LONG = "x" * (_MAX_WORD_BYTES + 1)


class Pieces(NamedTuple):
    """The pieces of all words, one word after the other.

    Args:
        ids: int32 ``[pieces]``.
        splits: int64 ``[words + 1]``, where each word begins in ``ids``.
    """

    ids: tf.Tensor
    splits: tf.Tensor


class WordPiece:
    """Looks words up in a vocabulary.

    Args:
        vocabulary: the tokens.

    Source:
        google-research/bert ``WordpieceTokenizer``, commit eedf5716, by the trie of
        Song et al. 2021, arXiv:2012.15524. Differs: nothing; the trie's limit is in
        bytes, so a word of more than 200 characters is replaced by one beyond it.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._trie = _trie(vocabulary)
        self._unk_id = vocabulary.unk_id
        sizes = [len(token.removeprefix(CONTINUATION)) for token in vocabulary.tokens]
        self._sizes = np.array(sizes, np.int64)

    def look_up(self, words: Words) -> Pieces:
        """The pieces of each word: at least one, [UNK] where there is no other way."""
        spelled = tf.strings.unicode_encode(ragged(words.codes, words.splits), "UTF-8")
        too_long = words.splits[1:] - words.splits[:-1] > MAX_WORD_CHARACTERS
        return self.look_up_spelled(tf.where(too_long, _TOO_LONG, spelled))

    def look_up_spelled(self, words: tf.Tensor) -> Pieces:
        """The same for string ``[words]``, none of more than 200 characters."""
        pieces = self._trie.tokenize(words)
        return Pieces(pieces.values, pieces.row_splits)

    def locate(self, words: Words, pieces: Pieces) -> tuple[tf.Tensor, tf.Tensor]:
        """First code point, and one after the last, of each piece in its own text."""
        whole = tf.gather(words.splits[1:] - words.splits[:-1], rows_of(pieces.splits))
        sizes = tf.gather(self._sizes, pieces.ids)
        # [UNK] stands for all of its word, so the pieces share out all characters.
        ends = tf.cumsum(tf.where(pieces.ids == self._unk_id, whole, sizes))
        starts = tf.pad(ends, [[1, 0]])[:-1]
        return (
            tf.gather(words.starts, starts),
            tf.gather(words.ends, ends - 1),
        )


def _trie(vocabulary: Vocabulary) -> tensorflow_text.FastWordpieceTokenizer:
    try:
        with tf.device("CPU:0"):
            return tensorflow_text.FastWordpieceTokenizer(
                list(vocabulary.tokens),
                suffix_indicator=CONTINUATION,
                max_bytes_per_word=_MAX_WORD_BYTES,
                token_out_type=tf.int32,
                unknown_token=UNK,
                no_pretokenization=True,
            )
    except RuntimeError as error:  # too many tokens, say
        raise InputError(f"tensorflow_text refuses the vocabulary: {error}") from error
