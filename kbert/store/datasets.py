"""A feature store → a ``tf.data.Dataset``; TensorFlow is imported here, when called."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError

if TYPE_CHECKING:
    import tensorflow as tf

    from .reader import FeatureStore

_LAYOUTS = ("ragged", "padded", "flat")


def tf_dataset(
    store: "FeatureStore", batch_size: int | None, *, layout: str, seed: int | None
) -> "tf.data.Dataset":
    """See ``FeatureStore.as_tf_dataset``; ``seed=None`` keeps the order."""
    _check(store, batch_size, layout)
    import tensorflow as tf

    flat = layout == "flat"
    shape = store.row_shape if flat else (None, *store.row_shape)
    signature = tf.TensorSpec(shape, tf.as_dtype(store.dtype))

    def rows() -> Iterator[np.ndarray]:
        for item in _order(len(store), seed):
            yield store[item][0] if flat else store[item]

    dataset = tf.data.Dataset.from_generator(rows, output_signature=signature)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(store)))
    if layout == "padded":
        dataset = dataset.map(lambda part: (part, tf.ones(tf.shape(part)[:1], tf.bool)))
    if batch_size is None:
        return dataset
    batch: dict[str, Any] = {
        "ragged": dataset.ragged_batch,
        "padded": dataset.padded_batch,
        "flat": dataset.batch,
    }
    return batch[layout](batch_size)


def _check(store: "FeatureStore", batch_size: int | None, layout: str) -> None:
    if layout not in _LAYOUTS:
        raise ConfigError(
            f"layout={layout!r}", expected=f"one of {', '.join(_LAYOUTS)}"
        )
    if batch_size is not None and batch_size < 1:
        raise ConfigError(f"batch_size={batch_size}", expected="1 or more, or None")
    if layout == "flat" and not np.all(np.diff(store.offsets) == 1):
        raise ConfigError(
            "layout='flat' with items of several rows, or none",
            where=store.path,
            expected="one row an item",
            hint="Use layout='ragged' or 'padded'.",
        )


def _order(count: int, seed: int | None) -> Any:
    return (
        range(count) if seed is None else np.random.default_rng(seed).permutation(count)
    )
