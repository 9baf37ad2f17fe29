"""A long list of texts → one ragged tensor, by one graph on all cores."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from .inputs import to_tensor

CHUNK = 4096  # texts: long enough to hide the cost of a call, and words repeat in it


def in_chunks(
    graph: Callable[[tf.Tensor], tf.RaggedTensor], texts: list[str | bytes]
) -> tf.RaggedTensor:
    """Run ``graph``, string ``[B]`` → ragged ``[B, (T)]``, chunk by chunk.

    TensorFlow lets go of Python's lock while a graph runs.
    """
    chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    if len(chunks) < 2:
        return graph(to_tensor(texts))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(lambda chunk: graph(to_tensor(chunk)), chunks)
        return tf.concat(list(parts), axis=0)
