"""Texts → their distinct words with counts, each as the tokenizer looks it up."""

import numpy as np
import tensorflow as tf

from .flat import ragged, rows_of
from .inputs import to_tensor
from .normalization import split_words, tables_in_graph
from .pipeline import traced
from .unicode_tables import folding_tables


class WordCounter:
    """Counts words; may be used by several threads at once.

    Args:
        lowercase: see ``Tokenizer``.
        strip_accents: see ``Tokenizer``.

    Example:
        >>> counter = WordCounter(lowercase=True, strip_accents=True)
        >>> counter.count(["No, no!"])
        ([b'no', b',', b'!'], [2, 1, 1])
    """

    def __init__(self, *, lowercase: bool, strip_accents: bool) -> None:
        self._tables = folding_tables(lowercase=lowercase, strip_accents=strip_accents)
        self._graph = traced(self._count)

    def count(self, texts: list[str]) -> tuple[list[bytes], list[int]]:
        """The distinct words of all texts, as UTF-8, and how often each stands there.

        Words come in the order in which they first appear, or close to it: it is the
        same for the same texts.
        """
        words, times = self._graph(to_tensor(texts))
        return words.numpy().tolist(), np.asarray(times).tolist()

    def _count(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.device("CPU:0"):
            units = tf.strings.split(texts, sep=" ").values
            distinct, _, times = tf.unique_with_counts(units, out_idx=tf.int64)
            found = split_words(distinct, tables_in_graph(self._tables))
            spelled = tf.strings.unicode_encode(
                ragged(found.codes, found.splits), "UTF-8"
            )
            times = tf.gather(times, rows_of(found.text_splits))
            words, numbers = tf.unique(spelled, out_idx=tf.int64)
            count = tf.size(words, tf.int64)
            return words, tf.math.unsorted_segment_sum(times, numbers, count)
