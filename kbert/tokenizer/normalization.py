"""Texts → the words that the original BERT tokenizer looks up, as flat code points.

Every vector has one entry for each code point of all texts, one after the other.
"""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from . import unicode_tables as unicode
from .flat import changes, lengths_of, rows_of, shifted, splits_of

_SIGMA, _FINAL_SIGMA = 0x3A3, 0x3C2
_PAGE_BITS = unicode.PAGE.bit_length() - 1


class Words(NamedTuple):
    """The words of all texts.

    Args:
        codes: int32 ``[N]``, their code points, in order.
        splits: int64 ``[words + 1]``, where each word begins in ``codes``.
        text_splits: int64 ``[texts + 1]``, where each text begins among the words.
        starts: int64 ``[N]``, the code point of its text that each came from.
        ends: int64 ``[N]``, one after the last code point that each came from.
    """

    codes: tf.Tensor
    splits: tf.Tensor
    text_splits: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor


class _Characters(NamedTuple):
    """What is left of all texts at some step.

    Args:
        codes: int32 ``[N]``, code points.
        properties: int32 ``[N]``, what the tables say of each before it is folded.
        segments: int64 ``[N]``, grows where the original splits before it folds.
        first: int64 ``[N]``, the code point, among all given, that each came from.
        last: int64 ``[N]``, the last one; another one only if marks were reordered.
    """

    codes: tf.Tensor
    properties: tf.Tensor
    segments: tf.Tensor
    first: tf.Tensor
    last: tf.Tensor

    def take(self, index: tf.Tensor) -> "_Characters":
        return _Characters(*(tf.gather(vector, index) for vector in self))


def split_words(texts: tf.Tensor, tables: unicode.FoldingTables) -> Words:
    """Clean, fold and split texts as ``BasicTokenizer`` does, with Unicode 14.0 tables.

    Args:
        texts: string ``[texts]``, UTF-8; bytes that are not UTF-8 are deleted.
        tables: as tensors; they also say whether to lower-case and to strip accents.

    Source:
        google-research/bert ``tokenization.py``, commit eedf5716.
        Differs: nothing under Python 3.11, which has the same Unicode.
    """
    decoded = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
    rows = rows_of(decoded.row_splits)
    characters = _clean(decoded.values, rows, tables)
    if tables.lowercase:
        characters = _mark_final_sigmas(characters, tables)
    if tables.lowercase or tables.strip_accents:
        characters = _fold(characters, tables)
    codes, _, segments, first, last = characters
    alone = _has(_properties(codes, tables), unicode.PUNCTUATION)
    begins = changes(segments) | alone | shifted(alone)
    word_starts = tf.where(begins)[:, 0]
    word_texts = tf.gather(rows, tf.gather(first, word_starts))
    words_in_text = lengths_of(word_texts, tf.size(texts, tf.int64))
    text_starts = tf.gather(decoded.row_splits, tf.gather(rows, first))
    return Words(
        codes,
        tf.concat([word_starts, [tf.size(codes, tf.int64)]], axis=0),
        splits_of(words_in_text),
        first - text_starts,
        last - text_starts + 1,
    )


def tables_in_graph(tables: unicode.FoldingTables) -> unicode.FoldingTables:
    """The same tables as constants of the graph that is being traced."""
    arrays = {
        field.name: tf.constant(getattr(tables, field.name))
        for field in dataclasses.fields(tables)
        if field.name not in ("lowercase", "strip_accents")
    }
    return dataclasses.replace(tables, **arrays)


def _properties(codes: tf.Tensor, tables: unicode.FoldingTables) -> tf.Tensor:
    page = tf.gather(tables.page_index, tf.bitwise.right_shift(codes, _PAGE_BITS))
    return tf.gather(tables.pages, page * unicode.PAGE + (codes & (unicode.PAGE - 1)))


def _has(properties: tf.Tensor, bit: int) -> tf.Tensor:
    return (properties & bit) != 0


def _clean(
    codes: tf.Tensor, rows: tf.Tensor, tables: unicode.FoldingTables
) -> _Characters:
    """Split at whitespace and around ideographs; drop blanks and control codes."""
    properties = _properties(codes, tables)
    space = _has(properties, unicode.SPACE)
    alone = _has(properties, unicode.IDEOGRAPH)
    begins = changes(rows) | alone | shifted(alone | space)
    segments = tf.cumsum(tf.cast(begins, tf.int64))
    places = tf.range(tf.size(codes, tf.int64))
    characters = _Characters(codes, properties, segments, places, places)
    kept = ~_has(properties, unicode.SPACE | unicode.DELETED)
    return tf.cond(
        tf.reduce_all(kept),
        lambda: characters,
        lambda: characters.take(tf.where(kept)[:, 0]),
    )


def _mark_final_sigmas(
    characters: _Characters, tables: unicode.FoldingTables
) -> _Characters:
    """Lower-case now each Σ that ends a word, by the rule of ``str.lower()``.

    The nearest neighbours that are not case-ignorable decide: cased before it, none or
    an uncased one after it.
    """
    codes, properties, segments, *_ = characters

    def mark() -> tuple[tf.Tensor, tf.Tensor]:
        index = tf.where(~_has(properties, unicode.CASE_IGNORABLE))[:, 0]
        cased = tf.gather(_has(properties, unicode.CASED), index)
        begins = changes(tf.gather(segments, index))
        before = ~begins & shifted(cased)
        after = tf.concat([(~begins & cased)[1:], [False]], axis=0)
        final = (tf.gather(codes, index) == _SIGMA) & before & ~after
        places = tf.boolean_mask(index, final)[:, None]
        replaced = tf.fill(tf.shape(places)[:1], _FINAL_SIGMA)
        marked = tf.tensor_scatter_nd_update(codes, places, replaced)
        return marked, _properties(marked, tables)

    codes, properties = tf.cond(
        tf.reduce_any(codes == _SIGMA), mark, lambda: (codes, properties)
    )
    return characters._replace(codes=codes, properties=properties)


def _fold(characters: _Characters, tables: unicode.FoldingTables) -> _Characters:
    """Put its replacement in the place of each code point."""
    properties = characters.properties
    folded = tf.cond(
        tf.reduce_any(_has(properties, unicode.RESIZED)),
        lambda: _replace(characters, tables, tables.starts, tables.lengths),
        lambda: _replace_one_by_one(characters, tables),
    )
    if not tables.strip_accents:
        return folded
    return tf.cond(
        tf.reduce_any(_has(properties, unicode.ORDERED)),
        lambda: _fold_in_order(characters, tables),
        lambda: folded,
    )


def _replace_one_by_one(
    characters: _Characters, tables: unicode.FoldingTables
) -> _Characters:
    records = tf.bitwise.right_shift(characters.properties, unicode.RECORD_SHIFT)
    replaced = tf.gather(tables.values, tf.gather(tables.starts, records))
    codes = tf.where(records == unicode.STAYS, characters.codes, replaced)
    return characters._replace(codes=codes)


def _replace(
    characters: _Characters,
    tables: unicode.FoldingTables,
    starts: tf.Tensor,
    lengths: tf.Tensor,
) -> _Characters:
    records = tf.bitwise.right_shift(characters.properties, unicode.RECORD_SHIFT)
    splits = splits_of(tf.gather(lengths, records))
    origins = rows_of(splits)
    nth = tf.range(splits[-1]) - tf.gather(splits, origins)
    records = tf.gather(records, origins)
    places = tf.gather(starts, records) + tf.cast(nth, tf.int32)
    result = characters.take(origins)
    stays = records <= unicode.MARK
    codes = tf.where(stays, result.codes, tf.gather(tables.values, places))
    return result._replace(codes=codes)


def _fold_in_order(
    characters: _Characters, tables: unicode.FoldingTables
) -> _Characters:
    """Fold where marks that stay may change places: as NFD, then delete accents.

    NFD sorts each run of marks by combining class, stably. In a run whose order
    changed, every mark comes from the whole run, so that offsets never go backwards.
    """
    full = _replace(characters, tables, tables.full_starts, tables.full_lengths)
    properties = _properties(full.codes, tables)
    classes = tf.bitwise.right_shift(properties, unicode.COMBINING_SHIFT)
    classes &= unicode.COMBINING_MASK
    kept = ~_has(properties, unicode.NONSPACING)
    is_mark = classes > 0
    runs = tf.cumsum(tf.cast(changes(full.segments) | ~is_mark, tf.int64))
    marks = tf.where(is_mark)[:, 0]
    runs = tf.gather(runs, marks)
    classes = tf.cast(tf.gather(classes, marks), tf.int64)
    order = tf.argsort(runs * (unicode.COMBINING_MASK + 1) + classes, stable=True)
    first, last = tf.gather(full.first, marks), tf.gather(full.last, marks)
    moved = order != tf.range(tf.size(order))
    first, last = _spread(first, last, moved, runs)
    ordered = full._replace(
        codes=_put(full.codes, marks, tf.gather(tf.gather(full.codes, marks), order)),
        first=_put(full.first, marks, first),
        last=_put(full.last, marks, last),
    )
    kept = _put(kept, marks, tf.gather(tf.gather(kept, marks), order))
    return ordered.take(tf.where(kept)[:, 0])


def _spread(
    first: tf.Tensor, last: tf.Tensor, moved: tf.Tensor, runs: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Let each item of a run in which one moved come from the whole run."""
    count = tf.reduce_max(runs) + 1
    moved = tf.math.unsorted_segment_max(tf.cast(moved, tf.int64), runs, count)
    moved = tf.gather(moved, runs) > 0
    run_first = tf.gather(tf.math.unsorted_segment_min(first, runs, count), runs)
    run_last = tf.gather(tf.math.unsorted_segment_max(last, runs, count), runs)
    return tf.where(moved, run_first, first), tf.where(moved, run_last, last)


def _put(vector: tf.Tensor, places: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    return tf.tensor_scatter_nd_update(vector, places[:, None], values)
