"""Rows of words of so many pieces → the words to predict, within a budget of pieces.

Everything is per word: ``[B, W]`` arrays whose column w is the w-th word of the row.
"""

import tensorflow as tf

from .draws import fractions

SPAN_P = 0.2
MAX_SPAN = 10


def choose_words(
    pieces: tf.Tensor, *, order: tf.Tensor, budget: tf.Tensor
) -> tf.Tensor:
    """Choose whole words in random order, skipping each that exceeds what is left.

    Args:
        pieces: int32 ``[B, W]``, pieces of each word, 0 where there is no word.
        order: int32 ``[B, W]``, random numbers; the word with the highest comes first.
        budget: int32 ``[B]``, most pieces.

    Returns:
        bool ``[B, W]``.
    """
    _, places = tf.math.top_k(tf.where(pieces > 0, order, -1), k=tf.shape(pieces)[1])
    taken = _fill(tf.gather(pieces, places, batch_dims=1), budget)
    rows = tf.broadcast_to(tf.range(tf.shape(pieces)[0])[:, None], tf.shape(places))
    where = tf.stack([rows, places], axis=-1)  # [B, W, 2]
    return tf.scatter_nd(where, taken, tf.shape(pieces))


def _fill(sizes: tf.Tensor, budget: tf.Tensor) -> tf.Tensor:
    """Go through each row once, taking what fits into what is left: bool ``[B, W]``.

    One round takes, in all rows at once, everything before the first word that does not
    fit. As less is left in the next round, what was passed over never fits again; so
    the few rounds do what a walk from word to word would.
    """

    def fitting(taken: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
        return ~taken & (sizes > 0) & (sizes <= left[:, None])

    def goes_on(taken: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(fitting(taken, left))

    def take(taken: tf.Tensor, left: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        wanted = fitting(taken, left)
        new = wanted & (_running_total(wanted, sizes) <= left[:, None])
        return taken | new, left - _total(new, sizes)

    taken, _ = tf.while_loop(goes_on, take, (tf.zeros_like(sizes, tf.bool), budget))
    return taken


def choose_spans(
    pieces: tf.Tensor,
    *,
    groups: tf.Tensor,
    order: tf.Tensor,
    lengths: tf.Tensor,
    budget: tf.Tensor,
) -> tf.Tensor:
    """Choose spans of whole words, one after the other, until the budget is used up.

    A span begins at the word, not chosen yet, with the highest number in ``order``. It
    goes over words that an earlier span has, and ends before a special token, and
    before a word that exceeds what is left.

    Args:
        pieces: int32 ``[B, W]``, pieces of each word, 0 where there is no word.
        groups: int32 ``[B, W]``, equal for words without a special token between them.
        order: int32 ``[B, W]``, random numbers, at least 0.
        lengths: int32 ``[B, W]``, words of the span that begins at this word.
        budget: int32 ``[B]``, most pieces.

    Returns:
        int32 ``[B, W]``: the span that each word belongs to, from 0; -1 for none.
    """
    words = tf.range(tf.shape(pieces)[1])[None]  # [1, W]

    def may_begin(spans: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
        return (spans < 0) & (pieces > 0) & (pieces <= left[:, None])

    def goes_on(spans: tf.Tensor, left: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(may_begin(spans, left))

    def take(spans: tf.Tensor, left: tf.Tensor, number: tf.Tensor) -> tuple:
        begins = may_begin(spans, left)
        first = tf.argmax(tf.where(begins, order, -1), axis=1, output_type=tf.int32)
        last = first + tf.gather(lengths, first, batch_dims=1) - 1
        group = tf.gather(groups, first, batch_dims=1)
        inside = (words >= first[:, None]) & (words <= last[:, None])
        wanted = inside & (groups == group[:, None]) & (spans < 0) & (pieces > 0)
        wanted &= tf.reduce_any(begins, axis=1, keepdims=True)
        new = wanted & (_running_total(wanted, pieces) <= left[:, None])
        return tf.where(new, number, spans), left - _total(new, pieces), number + 1

    start = (tf.fill(tf.shape(pieces), -1), budget, tf.constant(0))
    spans, _, _ = tf.while_loop(goes_on, take, start)
    return spans


def span_lengths(bits: tf.Tensor) -> tf.Tensor:
    """Draws → words in a span: P(n) proportional to 0.8^(n - 1), n = 1 … 10; mean 3.8.

    Source:
        Joshi et al. 2020, arXiv:1907.10529, section 3.1. Differs: nothing; what the
        paper calls clipping is, in its code and by its mean, drawing from 1 … 10 only.
    """
    kept = 1 - SPAN_P
    share = fractions(bits) * (1 - kept**MAX_SPAN)
    below = tf.math.log1p(-share) / tf.math.log(tf.constant(kept, tf.float64))
    return tf.minimum(1 + tf.cast(below, tf.int32), MAX_SPAN)


def _running_total(wanted: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    return tf.cumsum(tf.where(wanted, sizes, 0), axis=1)


def _total(chosen: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.where(chosen, sizes, 0), axis=1)
