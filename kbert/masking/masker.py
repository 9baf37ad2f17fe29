"""Chooses the tokens of each row to predict, and puts others in their place."""

import re
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ..errors import ConfigError
from ..vocabulary import CONTINUATION, SPECIAL_TOKENS, Vocabulary
from . import draws
from .selection import choose_spans, choose_words, span_lengths
from .settings import MaskingSettings

_UNUSED = re.compile(r"\[unused\d+\]")


class MaskedTokens(NamedTuple):
    """Rows with some tokens hidden, and the tokens to predict; unused places hold 0.

    Args:
        token_ids: int32 ``[B, T]``, what the model sees.
        positions: int32 ``[B, M]``, where the tokens to predict stand, ascending.
        ids: int32 ``[B, M]``, what really stands there.
        weights: float32 ``[B, M]``, 1 for a prediction and 0 for an unused place.
    """

    token_ids: tf.Tensor
    positions: tf.Tensor
    ids: tf.Tensor
    weights: tf.Tensor


class _Words(NamedTuple):
    """The words of each row; pieces that are no candidates belong to none.

    Args:
        of_piece: int32 ``[B, T]``, the number of a candidate's word in its row.
        pieces: int32 ``[B, T]``, by word: how many pieces it has.
        groups: int32 ``[B, T]``, by word: how many special tokens stand before it.
        order: int32 ``[B, T]``, by word: a random number.
    """

    of_piece: tf.Tensor
    pieces: tf.Tensor
    groups: tf.Tensor
    order: tf.Tensor


class Masker:
    """Hides tokens of rows of one length, at random but repeatably, in TensorFlow ops.

    A row gets ``min(M, max(1, round(mask_rate * its tokens)))`` predictions, or fewer
    where its words do not fit. Special tokens ([PAD], [UNK], [CLS], [SEP], [MASK]) are
    never predicted, and no random token is one of them or ``[unusedN]``.

    Args:
        settings: what to mask.
        vocabulary: of the token ids.
        length: T, tokens of a row with its padding.

    Raises:
        ConfigError: random tokens are wanted, and the vocabulary has none.

    Example:
        >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "dull", "boy"]
        >>> settings = MaskingSettings(mask_mixture=(100, 0, 0))
        >>> mask = Masker(settings, Vocabulary.from_tokens(tokens), length=5)
        >>> mask([[2, 5, 3, 0, 0]], [3], seed=1, epochs=[0], records=[7]).token_ids
        <tf.Tensor: ... array([[2, 4, 3, 0, 0]], dtype=int32)>

    Source:
        google-research/bert ``create_pretraining_data.py``,
        ``create_masked_lm_predictions``; spans: facebookresearch/SpanBERT
        ``pretraining/fairseq/data/masking.py``, ``PairWithSpanMaskingScheme``.
        Differs: [UNK] is not predicted and random tokens are not special; a ``##``
        piece never joins a word beyond [SEP]. Spans: never a part of a word, as many
        predictions as above (there rounded up), and where two spans meet, the earlier
        one decides what becomes of their common words.
    """

    def __init__(
        self, settings: MaskingSettings, vocabulary: Vocabulary, *, length: int
    ) -> None:
        self.settings, self.length = settings, length
        tokens = vocabulary.tokens
        special = np.array([token in SPECIAL_TOKENS for token in tokens])
        unused = np.array([bool(_UNUSED.fullmatch(token)) for token in tokens])
        self._maskable = ~special
        self._joins = np.array([token.startswith(CONTINUATION) for token in tokens])
        self._random_ids = np.flatnonzero(~special & ~unused).astype(np.int32)
        self._mask_id = vocabulary.ids[settings.mask_token]
        self.slots = settings.slots(length)
        if settings.mask_mixture[1] and not len(self._random_ids):
            raise ConfigError(
                f"mask_mixture={settings.mask_mixture} with a vocabulary of special "
                "tokens only",
                expected="no random tokens, or tokens to draw them from",
            )

    def __call__(
        self,
        token_ids: tf.Tensor,
        num_tokens: tf.Tensor,
        *,
        seed: int,
        epochs: tf.Tensor,
        records: tf.Tensor,
    ) -> MaskedTokens:
        """Mask a batch; a row's masks depend on the seed, its epoch and its record.

        Args:
            token_ids: int32 ``[B, T]``.
            num_tokens: int ``[B]``, tokens of each row before its padding.
            seed: of the whole run.
            epochs: int64 ``[B]``.
            records: int64 ``[B]``, the number of each row's record.
        """
        token_ids = tf.ensure_shape(tf.cast(token_ids, tf.int32), [None, self.length])
        num_tokens = tf.cast(num_tokens, tf.int32)
        bits = draws.draws(draws.key(seed, epochs, records), 4, self.length)
        order, fate, replacement, spans = tf.unstack(bits, axis=1)  # each [B, T]
        candidates = tf.gather(self._maskable, token_ids)
        candidates &= tf.range(self.length) < num_tokens[:, None]
        words = self._words(token_ids, candidates, order)
        budget = self._budget(num_tokens)
        if self.settings.masking == "span":
            chosen = choose_spans(
                words.pieces,
                groups=words.groups,
                order=words.order,
                lengths=span_lengths(spans),
                budget=budget,
            )
            number = tf.gather(chosen, words.of_piece, batch_dims=1)  # [B, T]
            hidden = candidates & (number >= 0)
            fate = tf.gather(fate, tf.maximum(number, 0), batch_dims=1)
        else:
            taken = choose_words(words.pieces, order=words.order, budget=budget)
            hidden = candidates & tf.gather(taken, words.of_piece, batch_dims=1)
        return self._predictions(token_ids, hidden, fate, replacement)

    def _budget(self, num_tokens: tf.Tensor) -> tf.Tensor:
        # In float64, so that halves are rounded (to even) as the original does.
        wanted = tf.round(tf.cast(num_tokens, tf.float64) * self.settings.mask_rate)
        return tf.minimum(tf.maximum(tf.cast(wanted, tf.int32), 1), self.slots)

    def _words(
        self, token_ids: tf.Tensor, candidates: tf.Tensor, order: tf.Tensor
    ) -> _Words:
        begins = candidates
        if self.settings.masking != "token":
            previous = tf.pad(candidates[:, :-1], [[0, 0], [1, 0]])
            begins &= ~(tf.gather(self._joins, token_ids) & previous)
        of_piece = tf.maximum(tf.cumsum(tf.cast(begins, tf.int32), axis=1) - 1, 0)
        rows = tf.range(tf.shape(token_ids)[0])[:, None]
        slots = tf.where(candidates, rows * self.length + of_piece, -1)  # -1: nowhere
        count = tf.size(token_ids)

        def by_word(values: tf.Tensor) -> tf.Tensor:
            highest = tf.math.unsorted_segment_max(values, slots, count)
            return tf.reshape(highest, tf.shape(token_ids))

        ones = tf.ones_like(token_ids)
        pieces = tf.math.unsorted_segment_sum(ones, slots, count)
        specials = tf.cumsum(tf.cast(~candidates, tf.int32), axis=1)
        # The highest number of its pieces: a word of two is twice as likely to come
        # first, as spans begin at a piece that is drawn uniformly.
        by_piece = self.settings.masking == "span"
        return _Words(
            of_piece=of_piece,
            pieces=tf.reshape(pieces, tf.shape(token_ids)),
            groups=by_word(specials),
            order=by_word(order) if by_piece else order,
        )

    def _predictions(
        self,
        token_ids: tf.Tensor,
        hidden: tf.Tensor,
        fate: tf.Tensor,
        replacement: tf.Tensor,
    ) -> MaskedTokens:
        masked, random, _ = self.settings.mask_mixture
        share = draws.fractions(fate) * 100
        seen = tf.where(hidden & (share < masked), self._mask_id, token_ids)
        if random:
            to_random = hidden & (share >= masked) & (share < masked + random)
            picked = draws.choices(replacement, len(self._random_ids))
            seen = tf.where(to_random, tf.gather(self._random_ids, picked), seen)
        # From the left: the first position has the highest number.
        from_right = tf.where(hidden, self.length - tf.range(self.length), 0)
        ranks = tf.math.top_k(from_right, k=self.slots).values  # [B, M]
        used = ranks > 0
        positions = tf.where(used, self.length - ranks, 0)
        ids = tf.where(used, tf.gather(token_ids, positions, batch_dims=1), 0)
        return MaskedTokens(seen, positions, ids, tf.cast(used, tf.float32))
