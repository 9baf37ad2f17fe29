"""An encoder → one frozen TensorFlow graph per way of pooling, run on ready batches.

The weights become constants, in the dtype that is computed in, and only what the
chosen layers need stays in the graph: grappler then fuses products, biases and GELU,
and layers above the highest chosen one cost nothing.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from ..config import BertConfig
from ..encoder import build_encoder
from ..errors import DependencyError
from .batches import Batch
from .settings import ResolvedSettings

Pool = Callable[[tf.Tensor, tuple[tf.Tensor, ...]], tf.Tensor]


class FrozenEncoder:
    """Batches of windows in, pooled float32 vectors out.

    Args:
        encoder: what ``build_encoder(config)`` gave, with trained weights.
        config: its config.
        settings: which layers, how combined and pooled, and the arithmetic.

    Raises:
        DependencyError: Keras runs on another backend than TensorFlow.
    """

    def __init__(
        self, encoder: keras.Model, config: BertConfig, settings: ResolvedSettings
    ) -> None:
        if keras.backend.backend() != "tensorflow":
            raise DependencyError(
                f"Keras runs on {keras.backend.backend()}",
                expected="the TensorFlow backend to extract features",
                hint="Set KERAS_BACKEND=tensorflow.",
            )
        self._hidden_dim = config.hidden_dim
        self._settings = settings
        self._run = self._freeze(_in_dtype(encoder, config, settings.compute_dtype))

    def __call__(self, batch: Batch) -> np.ndarray:
        """float32 ``[rows, …]``: the vectors of one batch, see ``Batch.rows``."""
        arguments = (
            batch.token_ids,
            batch.lengths,
            batch.pair_places,
            batch.positions,
            batch.rows,
        )
        (vectors,) = self._run(*map(tf.constant, arguments))
        return vectors.numpy()

    def _freeze(self, encoder: keras.Model) -> Callable[..., list[tf.Tensor]]:
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, None], tf.int32),  # token_ids [B, T]
                tf.TensorSpec([None], tf.int32),  # lengths [B]
                tf.TensorSpec([None], tf.int32),  # pair_places [B]
                tf.TensorSpec([None], tf.int32),  # positions [P], in the flat [B·T]
                tf.TensorSpec([None], tf.int32),  # rows [P], ascending from 0
            ]
        )
        def pooled(
            token_ids: tf.Tensor,
            lengths: tf.Tensor,
            pair_places: tf.Tensor,
            positions: tf.Tensor,
            rows: tf.Tensor,
        ) -> tf.Tensor:
            place = tf.range(tf.shape(token_ids)[1])[None]  # [1, T]
            outputs = encoder(
                {
                    "token_ids": token_ids,
                    "segment_ids": tf.cast(place >= pair_places[:, None], tf.int32),
                    "padding_mask": place < lengths[:, None],
                },
                training=False,
            )
            return self._pool(outputs, positions, rows)

        return convert_to_constants.convert_variables_to_constants_v2(
            pooled.get_concrete_function()
        )

    def _pool(
        self, outputs: dict[str, tf.Tensor], positions: tf.Tensor, rows: tf.Tensor
    ) -> tf.Tensor:
        settings = self._settings
        if uses_pooler(settings):
            vectors = tf.cast(outputs["pooled_output"], tf.float32)
            return vectors[:, None] if settings.combine == "stack" else vectors
        chosen = [outputs["hidden_states"][layer] for layer in settings.layers]
        if settings.combine in ("concat", "stack"):
            pooled = [self._pool_layer(one, positions, rows) for one in chosen]
            if settings.combine == "stack":
                return tf.stack(pooled, axis=1)  # [R, layers, H]
            return tf.concat(pooled, axis=-1)  # [R, layers · H]
        reduce = _REDUCTIONS[settings.combine]
        stacked = tf.stack([tf.cast(one, tf.float32) for one in chosen])
        return self._pool_layer(reduce(stacked, axis=0), positions, rows)

    def _pool_layer(
        self, hidden: tf.Tensor, positions: tf.Tensor, rows: tf.Tensor
    ) -> tf.Tensor:
        """float ``[B, T, H]`` → float32 ``[R, H]``."""
        flat = tf.reshape(hidden, [-1, self._hidden_dim])
        vectors = tf.cast(tf.gather(flat, positions), tf.float32)  # [P, H]
        how = pooling(self._settings)
        if how == "one":
            return vectors
        if how == "mean":
            return tf.math.segment_mean(vectors, rows)
        return tf.math.segment_max(vectors, rows)


def pooling(settings: ResolvedSettings) -> str:
    """How the positions of a row become its vector: ``one``, ``mean`` or ``max``."""
    how = {"word": settings.word_pool, "sentence": settings.sentence_pool}
    chosen = how.get(settings.unit, "one")
    return chosen if chosen in ("mean", "max") else "one"


def uses_pooler(settings: ResolvedSettings) -> bool:
    """Whether the vectors come from the pooler."""
    return settings.unit == "sentence" and settings.sentence_pool == "pooler"


_REDUCTIONS = {
    "mean": tf.reduce_mean,
    "sum": tf.reduce_sum,
    "max": tf.reduce_max,
}


def _in_dtype(encoder: keras.Model, config: BertConfig, dtype: str) -> keras.Model:
    """The same encoder with weights and arithmetic in ``dtype``."""
    if (
        {weight.dtype for weight in encoder.weights}
        == {dtype}
        == {encoder.get_layer("embeddings").compute_dtype}
    ):
        return encoder
    pooler = "pooled_output" in encoder.output
    copy = build_encoder(config, pooler=pooler, dtype=dtype)
    for target, source in zip(copy.weights, encoder.weights, strict=True):
        target.assign(source)
    return copy
