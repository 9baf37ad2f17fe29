"""Text → token ids, equal to the original BERT tokenizer, in TensorFlow ops."""

import os
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ..errors import InputError
from ..vocabulary import CONTINUATION, SPECIAL_TOKENS, UNK, Vocabulary
from . import inputs
from .flat import ragged, rows_of
from .packing import pack
from .parallel import in_chunks
from .pipeline import Pipeline, PlacedPieces


class WordPieces(NamedTuple):
    """The pieces of words that were given one by one.

    Args:
        by_word: int32 ``[B, (words), (pieces)]``; a word of which nothing is left (only
            control characters, say) keeps its place and has no piece.
        token_ids: int32 ``[B, (T)]``, the same pieces without the words.
        word_numbers: int64 ``[B, (T)]``, the word in its text, from 0, of each piece.
    """

    by_word: tf.RaggedTensor
    token_ids: tf.RaggedTensor
    word_numbers: tf.RaggedTensor


class Tokenizer:
    """Turns texts into the ids that a BERT model takes, and back.

    Works on lists of str and, inside ``tf.data.Dataset.map``, a ``tf.function`` or a
    SavedModel, on string tensors; the ids are the same, on every machine. Special
    tokens written in a text are split like any other text.

    Args:
        vocabulary: a ``Vocabulary``, the path of a ``vocab.txt``, or a list of tokens.
        lowercase: fold case, as for the uncased and the Chinese models.
        strip_accents: delete accents; None does so if ``lowercase``.

    Raises:
        InputError: the vocabulary is not one, with the line.

    Example:
        >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        >>> tokenizer = Tokenizer([*tokens, "dull", "boy", "##s"])
        >>> tokenizer(["Dull boys", "boy"])["token_ids"].numpy().tolist()
        [[2, 5, 6, 7, 3], [2, 6, 3, 0, 0]]

    Source:
        google-research/bert ``tokenization.py`` (commit eedf5716), ``FullTokenizer``.
        Differs: Unicode is 14.0 whatever the Python.
    """

    def __init__(
        self,
        vocabulary: Vocabulary | str | os.PathLike[str] | Sequence[str],
        lowercase: bool = True,
        *,
        strip_accents: bool | None = None,
    ) -> None:
        if isinstance(vocabulary, str | os.PathLike):
            vocabulary = Vocabulary.from_file(vocabulary)
        elif not isinstance(vocabulary, Vocabulary):
            vocabulary = Vocabulary.from_tokens(vocabulary)
        self._vocabulary, self._lowercase = vocabulary, lowercase
        self._strip_accents = lowercase if strip_accents is None else strip_accents
        self._pipeline = Pipeline(
            vocabulary, lowercase=lowercase, strip_accents=self._strip_accents
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._vocabulary, self._lowercase, self._strip_accents)

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens and their ids."""
        return self._vocabulary

    @property
    def lowercase(self) -> bool:
        """Whether case is folded."""
        return self._lowercase

    @property
    def strip_accents(self) -> bool:
        """Whether accents are deleted."""
        return self._strip_accents

    def __call__(
        self,
        texts: Iterable[str] | tf.Tensor,
        pairs: Iterable[str] | tf.Tensor | None = None,
        max_length: int | None = None,
        *,
        pad_to: int | None = None,
    ) -> dict[str, tf.Tensor]:
        """Make the inputs of a model: [CLS] text [SEP], or [CLS] text [SEP] pair [SEP].

        Args:
            texts: ``[B]``, list of str or string tensor.
            pairs: ``[B]``, the second part of each input.
            max_length: most tokens of an input, special ones included; the longer part
                loses its last pieces first. None truncates nothing, or to ``pad_to``.
            pad_to: T, exactly; None takes the longest input of the batch.

        Returns:
            ``token_ids`` int32 ``[B, T]``, padded with [PAD]; ``segment_ids`` int32
            ``[B, T]``, 1 from the pair on, else 0; ``padding_mask`` bool ``[B, T]``,
            true where a token stands.

        Raises:
            InputError: one str alone, something that is not text, other numbers of
                ``texts`` and ``pairs``, or a length that cannot be.
        """
        special = 2 if pairs is None else 3
        max_length = _checked_length(max_length, pad_to, special=special)
        first, second = self.tokenize(texts), None
        if pairs is not None:
            second = _run(self._pipeline.tokenize, pairs, "pairs")
            _check_same_count(first, second)
        with tf.device("CPU:0"):
            return pack(
                first,
                second,
                vocabulary=self._vocabulary,
                max_length=max_length,
                pad_to=pad_to,
            )

    def tokenize(self, texts: Iterable[str] | tf.Tensor) -> tf.RaggedTensor:
        """The pieces of each text: no special tokens, nothing truncated.

        Args:
            texts: ``[B]``, list of str or string tensor.

        Returns:
            int32 ``[B, (T)]``, ragged.

        Raises:
            InputError: one str alone, or something that is not text.
        """
        return _run(self._pipeline.tokenize, texts, "texts")

    def tokenize_with_offsets(self, texts: Iterable[str] | tf.Tensor) -> PlacedPieces:
        """The pieces of each text and where they come from.

        Args:
            texts: ``[B]``, list of str or string tensor.

        Returns:
            Ragged ``token_ids``, ``starts`` and ``ends``: piece ``i`` of a text comes
            from ``text[starts[i]:ends[i]]``, in Python's characters of the text as it
            was given. Two pieces of one character share it.

        Raises:
            InputError: one str alone, or something that is not text.
        """
        texts = inputs.to_strings(texts, "texts")
        if isinstance(texts, list):
            texts = inputs.to_tensor(texts)
        return self._pipeline.place(texts)

    def tokenize_words(
        self, words: Iterable[Iterable[str]] | tf.RaggedTensor
    ) -> WordPieces:
        """The pieces of each word, for texts that are split into words already.

        Each word is tokenized alone, as if blanks stood around it.

        Args:
            words: ``[B, (words)]``, list of lists of str, or string ``RaggedTensor``.

        Returns:
            Pieces by word and by text, and the word of each piece.

        Raises:
            InputError: not a list of lists of str.
        """
        flat, splits = inputs.to_flat_words(words)
        by_word = _run(self._pipeline.tokenize_words, flat, "words")
        with tf.device("CPU:0"):
            text_splits = tf.gather(by_word.row_splits, splits)
            first_words = tf.gather(splits, rows_of(text_splits))
            numbers = rows_of(by_word.row_splits) - first_words
        return WordPieces(
            ragged(by_word, splits),
            ragged(by_word.values, text_splits),
            ragged(numbers, text_splits),
        )

    def encode_words(self, words: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """The pieces of many words, as fast as it goes.

        Args:
            words: list of str, of any number of texts; each is tokenized alone.

        Returns:
            ids int32 ``[pieces]`` and splits int64 ``[words + 1]``: the pieces of word
            ``i`` are ``ids[splits[i]:splits[i + 1]]``; none if nothing is left of it.

        Raises:
            InputError: one str alone, or something that is not text.
        """
        pieces = _run(self._pipeline.tokenize_words, words, "words")
        return pieces.values.numpy(), pieces.row_splits.numpy()

    def id_to_token(self, token_id: int) -> str:
        """The token of one id.

        Raises:
            InputError: no token has it.
        """
        if not 0 <= token_id < len(self._vocabulary):
            raise InputError(
                f"token id {token_id}", expected=f"0 to {len(self._vocabulary) - 1}"
            )
        return self._vocabulary.tokens[token_id]

    def decode(self, token_ids: Any, *, keep_special: bool = False) -> list[str]:
        """Write ids as text again, with a blank between words.

        What tokenizing lost (case, accents, blanks, unknown words) does not come back.

        Args:
            token_ids: int ``[B, T]``: dense, ragged, or a list of lists.
            keep_special: write [CLS], [SEP], [PAD] and [MASK] too; [UNK] always is.

        Returns:
            One str for each row.

        Raises:
            InputError: an id that no token has, or not rows of ids.
        """
        special = {
            self._vocabulary.ids[token] for token in SPECIAL_TOKENS if token != UNK
        }
        hidden = set() if keep_special else special
        return [
            _join(self.id_to_token(one) for one in row if one not in hidden)
            for row in inputs.to_rows(token_ids)
        ]


def _run(
    graph: Callable[[tf.Tensor], tf.RaggedTensor], texts: Any, name: str
) -> tf.RaggedTensor:
    texts = inputs.to_strings(texts, name)
    return in_chunks(graph, texts) if isinstance(texts, list) else graph(texts)


def _restore(vocabulary: Vocabulary, lowercase: bool, strip_accents: bool) -> Tokenizer:
    return Tokenizer(vocabulary, lowercase, strip_accents=strip_accents)


def _checked_length(
    max_length: int | None, pad_to: int | None, *, special: int
) -> int | None:
    """The most tokens of a row, from what the caller asked for."""
    for name, value in (("max_length", max_length), ("pad_to", pad_to)):
        if value is None:
            continue
        if not isinstance(value, Integral) or value < special:
            raise InputError(
                f"{name}={value!r}",
                expected=f"a whole number, at least {special} for the special tokens",
            )
    if pad_to is not None and max_length is not None and max_length > pad_to:
        raise InputError(
            f"max_length={max_length} with pad_to={pad_to}",
            expected="max_length of at most pad_to",
        )
    return pad_to if max_length is None else max_length


def _check_same_count(first: tf.RaggedTensor, second: tf.RaggedTensor) -> None:
    counts = [tf.get_static_value(part.nrows()) for part in (first, second)]
    if None not in counts and counts[0] != counts[1]:
        raise InputError(
            f"{counts[0]} texts with {counts[1]} pairs", expected="a pair for each text"
        )


def _join(tokens: Iterable[str]) -> str:
    return " ".join(tokens).replace(f" {CONTINUATION}", "")
