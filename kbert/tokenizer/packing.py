"""Pieces of one or two parts → ``token_ids``, ``segment_ids``, ``padding_mask``."""

import tensorflow as tf

from ..vocabulary import Vocabulary


def pack(
    first: tf.RaggedTensor,
    second: tf.RaggedTensor | None,
    *,
    vocabulary: Vocabulary,
    max_length: int | None,
    pad_to: int | None,
) -> dict[str, tf.Tensor]:
    """Truncate, add [CLS] and [SEP], and pad.

    Args:
        first: int32 ``[B, (T)]``, pieces of the first part.
        second: int32 ``[B, (T)]``, pieces of the second part, or None.
        vocabulary: says what the special tokens are.
        max_length: most tokens in a row; None truncates nothing.
        pad_to: T; None takes the longest row.

    Returns:
        ``token_ids`` and ``segment_ids`` int32 ``[B, T]``, ``padding_mask`` bool
        ``[B, T]``.

    Source:
        google-research/bert ``_truncate_seq_pair``, ``convert_single_example``.
        Differs: nothing; the popping of pieces one by one is written as a formula.
    """
    lengths = first.row_lengths()
    others = tf.zeros_like(lengths) if second is None else second.row_lengths()
    # Stacking refuses another number of texts than of pairs, in a graph too.
    lengths, others = tf.unstack(tf.stack([lengths, others]))
    if max_length is not None:
        room = max_length - (2 if second is None else 3)
        lengths, others = longest_first(lengths, others, room=room)
    middle = lengths[:, None] + 1  # place of the first [SEP]
    last = middle if second is None else middle + others[:, None] + 1
    if pad_to is None:
        width = tf.reduce_max(tf.pad(last[:, 0] + 1, [[1, 0]]))  # 0 without any row
    else:
        width = tf.constant(pad_to, tf.int64)
    places = tf.range(width)[None, :]  # [1, T]
    padding_mask = places <= last
    token_ids = tf.where(padding_mask, vocabulary.sep_id, vocabulary.pad_id)
    token_ids = tf.where(places == 0, vocabulary.cls_id, token_ids)
    token_ids = _fill(token_ids, first, places - 1, lengths)
    if second is not None:
        token_ids = _fill(token_ids, second, places - middle - 1, others)
    return {
        "token_ids": token_ids,
        "segment_ids": tf.cast(padding_mask & (places > middle), tf.int32),
        "padding_mask": padding_mask,
    }


def longest_first(
    first: tf.Tensor, second: tf.Tensor, *, room: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Shorten two parts to ``room`` pieces together.

    The longer part loses its last piece, the second one if they are as long, and so on:
    a part below half of the room keeps all, and the first one gets an odd piece.

    Args:
        first: int64 ``[B]``, pieces of the first parts.
        second: int64 ``[B]``, pieces of the second parts.
        room: most pieces of both.

    Returns:
        int64 ``[B]`` twice, what is left of each.
    """
    return (
        tf.minimum(first, tf.maximum(room - second, (room + 1) // 2)),
        tf.minimum(second, tf.maximum(room - first, room // 2)),
    )


def _fill(
    token_ids: tf.Tensor, pieces: tf.RaggedTensor, nth: tf.Tensor, lengths: tf.Tensor
) -> tf.Tensor:
    """Put the ``nth`` piece of each row where there is one below ``lengths``."""
    inside = (nth >= 0) & (nth < lengths[:, None])
    index = tf.where(inside, pieces.row_starts()[:, None] + nth, 0)
    values = tf.pad(pieces.values, [[0, 1]])  # so that there is a number 0
    return tf.where(inside, tf.gather(values, index), token_ids)
