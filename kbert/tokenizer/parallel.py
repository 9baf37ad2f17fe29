"""A long list of texts → one ragged tensor, by one graph on all cores."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from .inputs import to_tensor

MIN_CHUNK = 4096  # texts; fewer are not worth a thread
MAX_CHUNK = 65536  # texts; a graph holds some 100 bytes for each character


def in_chunks(
    graph: Callable[[tf.Tensor], tf.RaggedTensor], texts: list[str | bytes]
) -> tf.RaggedTensor:
    """Run ``graph``, string ``[B]`` → ragged ``[B, (T)]``, on a chunk for each core.

    TensorFlow lets go of Python's lock while a graph runs. Chunks are as long as can
    be, because the words in one are worked out once.
    """
    share = -(-len(texts) // (os.cpu_count() or 1))
    size = min(max(share, MIN_CHUNK), MAX_CHUNK)
    chunks = [texts[start : start + size] for start in range(0, len(texts), size)]
    if len(chunks) < 2:
        return graph(to_tensor(texts))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(lambda chunk: graph(to_tensor(chunk)), chunks)
        with tf.device("CPU:0"):
            return tf.concat(list(parts), axis=0)
