"""A long list of texts → one ragged tensor, by one graph on all cores."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from .inputs import to_tensor

MIN_CHUNK = 4096  # texts; fewer are not worth a thread


def in_chunks(
    graph: Callable[[tf.Tensor], tf.RaggedTensor], texts: list[str | bytes]
) -> tf.RaggedTensor:
    """Run ``graph``, string ``[B]`` → ragged ``[B, (T)]``, on one chunk for each core.

    TensorFlow lets go of Python's lock while a graph runs. Chunks are as long as can
    be, because the words in one are worked out once.
    """
    size = max(MIN_CHUNK, -(-len(texts) // (os.cpu_count() or 1)))
    chunks = [texts[start : start + size] for start in range(0, len(texts), size)]
    if len(chunks) < 2:
        return graph(to_tensor(texts))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(lambda chunk: graph(to_tensor(chunk)), chunks)
        return tf.concat(list(parts), axis=0)
