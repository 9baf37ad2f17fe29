"""Texts → the words that the original BERT tokenizer looks up, as flat code points.

Every vector has one entry for each code point of all texts, one after the other.
"""

from typing import NamedTuple

import tensorflow as tf

from . import unicode_tables as unicode
from .flat import changes, lengths_of, rows_of, shifted, splits_of

_SIGMA, _FINAL_SIGMA = 0x3A3, 0x3C2
_PAGE_BITS = unicode.PAGE.bit_length() - 1


class Characters(NamedTuple):
    """The code points that are left of all texts, each with where it came from.

    Args:
        codes: int32 ``[N]``, code points.
        texts: int64 ``[N]``, the number of the text.
        segments: int64 ``[N]``, grows where the original splits before it folds.
        starts: int64 ``[N]``, first code point of the text that this one came from.
        ends: int64 ``[N]``, one after the last code point that it came from.
    """

    codes: tf.Tensor
    texts: tf.Tensor
    segments: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor

    def take(self, mask: tf.Tensor) -> "Characters":
        """Those where bool ``[N]`` is true."""
        index = tf.where(mask)[:, 0]
        return Characters(*(tf.gather(vector, index) for vector in self))


class Words(NamedTuple):
    """The words of all texts.

    Args:
        characters: their code points, in order.
        splits: int64 ``[words + 1]``, where each word begins in ``characters``.
        text_splits: int64 ``[texts + 1]``, where each text begins among the words.
        text_lengths: int64 ``[texts]``, code points of each text as it was given.
    """

    characters: Characters
    splits: tf.Tensor
    text_splits: tf.Tensor
    text_lengths: tf.Tensor


def split_words(texts: tf.Tensor, tables: unicode.FoldingTables) -> Words:
    """Clean, fold and split texts as ``BasicTokenizer`` does, with Unicode 14.0 tables.

    Args:
        texts: string ``[texts]``, UTF-8; bytes that are not UTF-8 are deleted.
        tables: as tensors; they also say whether to lower-case and to strip accents.

    Source:
        google-research/bert ``tokenization.py``, commit eedf5716.
        Differs: nothing under Python 3.11, which has the same Unicode.
    """
    characters, text_lengths = _clean(texts, tables)
    if tables.lowercase:
        characters = _mark_final_sigmas(characters, tables)
    if tables.lowercase or tables.strip_accents:
        characters = _fold(characters, tables)
    if tables.strip_accents:
        characters = _strip(characters, tables)
    alone = _has(_properties(characters.codes, tables), unicode.PUNCTUATION)
    first = changes(characters.segments) | alone | shifted(alone)
    word_starts = tf.where(first)[:, 0]
    size = tf.size(characters.codes, tf.int64)
    word_texts = tf.gather(characters.texts, word_starts)
    words_in_text = lengths_of(word_texts, tf.size(text_lengths, tf.int64))
    return Words(
        characters,
        tf.concat([word_starts, [size]], axis=0),
        splits_of(words_in_text),
        text_lengths,
    )


def _properties(codes: tf.Tensor, tables: unicode.FoldingTables) -> tf.Tensor:
    """int32 ``[N]``: class bits, combining class and replacement of each."""
    page = tf.gather(tables.page_index, tf.bitwise.right_shift(codes, _PAGE_BITS))
    return tf.gather(tables.pages, page * unicode.PAGE + (codes & (unicode.PAGE - 1)))


def _clean(
    texts: tf.Tensor, tables: unicode.FoldingTables
) -> tuple[Characters, tf.Tensor]:
    """Delete control characters; split at whitespace and around ideographs."""
    decoded = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
    codes, splits = decoded.values, decoded.row_splits
    rows = rows_of(splits)
    places = tf.range(tf.size(codes, tf.int64)) - tf.gather(splits, rows)
    everything = Characters(codes, rows, rows, places, places + 1)
    bits = _properties(codes, tables)
    kept = ~_has(bits, unicode.DELETED)
    characters, bits = everything.take(kept), tf.boolean_mask(bits, kept)
    space, alone = _has(bits, unicode.SPACE), _has(bits, unicode.IDEOGRAPH)
    first = changes(characters.texts) | alone | shifted(alone | space)
    segments = tf.cumsum(tf.cast(first, tf.int64))
    return characters._replace(segments=segments).take(~space), splits[1:] - splits[:-1]


def _mark_final_sigmas(
    characters: Characters, tables: unicode.FoldingTables
) -> Characters:
    """Lower-case now each Σ that ends a word, by the rule of ``str.lower()``.

    The nearest neighbours that are not case-ignorable decide: cased before it, none or
    an uncased one after it.
    """
    codes, segments = characters.codes, characters.segments

    def mark() -> tf.Tensor:
        bits = _properties(codes, tables)
        index = tf.where(~_has(bits, unicode.CASE_IGNORABLE))[:, 0]
        cased = tf.gather(_has(bits, unicode.CASED), index)
        first = changes(tf.gather(segments, index))
        before = ~first & shifted(cased)
        after = tf.concat([(~first & cased)[1:], [False]], axis=0)
        final = (tf.gather(codes, index) == _SIGMA) & before & ~after
        places = tf.boolean_mask(index, final)[:, None]
        replaced = tf.fill(tf.shape(places)[:1], _FINAL_SIGMA)
        return tf.tensor_scatter_nd_update(codes, places, replaced)

    found = tf.reduce_any(codes == _SIGMA)
    return characters._replace(codes=tf.cond(found, mark, lambda: codes))


def _fold(characters: Characters, tables: unicode.FoldingTables) -> Characters:
    """Put the replacement, if it has one, in the place of each code point."""
    records = tf.bitwise.right_shift(
        _properties(characters.codes, tables), unicode.RECORD_SHIFT
    )
    splits = splits_of(tf.gather(tables.lengths, records))
    origins = rows_of(splits)
    folded = Characters(*(tf.gather(vector, origins) for vector in characters))
    nth = tf.range(splits[-1]) - tf.gather(splits, origins)
    records = tf.gather(records, origins)
    places = tf.gather(tables.starts, records) + tf.cast(nth, tf.int32)
    replaced = tf.gather(tables.values, places)
    return folded._replace(codes=tf.where(records == 0, folded.codes, replaced))


def _strip(characters: Characters, tables: unicode.FoldingTables) -> Characters:
    """Order the marks as NFD does, then delete the non-spacing ones."""
    bits = _properties(characters.codes, tables)
    kept = ~_has(bits, unicode.NONSPACING)
    combining = tf.bitwise.right_shift(bits, unicode.COMBINING_SHIFT) & 0xFF
    # The order of deleted marks is nobody's concern; few others have a class.
    return tf.cond(
        tf.reduce_any(kept & (combining > 0)),
        lambda: _in_canonical_order(characters, combining, kept),
        lambda: characters.take(kept),
    )


def _has(properties: tf.Tensor, bit: int) -> tf.Tensor:
    return (properties & bit) != 0


def _in_canonical_order(
    characters: Characters, combining: tf.Tensor, kept: tf.Tensor
) -> Characters:
    """Sort each run of marks by combining class, stably, then take those ``kept``.

    In a run whose order changed, every mark comes from the whole run, so that the
    offsets of pieces never go backwards.
    """
    first = changes(characters.segments) | (combining == 0)
    runs = tf.cumsum(tf.cast(first, tf.int64))
    places = tf.range(tf.size(runs, tf.int64))
    marks = tf.where(combining > 0)[:, 0]
    keys = tf.gather(runs * 256 + tf.cast(combining, tf.int64), marks)
    order = tf.gather(marks, tf.argsort(keys, stable=True))
    order = tf.tensor_scatter_nd_update(places, marks[:, None], order)
    moved = tf.cast((order != places), tf.int64)
    count = runs[-1] + 1
    disturbed = tf.gather(tf.math.unsorted_segment_max(moved, runs, count), runs) > 0
    # A starter opens its run but never moves.
    disturbed &= combining > 0
    lone = tf.where(combining > 0, runs, 0)  # run 0 takes the starters
    starts = tf.gather(
        tf.math.unsorted_segment_min(characters.starts, lone, count), lone
    )
    ends = tf.gather(tf.math.unsorted_segment_max(characters.ends, lone, count), lone)
    ordered = characters._replace(
        codes=tf.gather(characters.codes, order),
        starts=tf.where(disturbed, starts, characters.starts),
        ends=tf.where(disturbed, ends, characters.ends),
    )
    return ordered.take(tf.gather(kept, order))
