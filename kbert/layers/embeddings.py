"""Ids of tokens and segments → vectors."""

from typing import Any

import keras
from keras import ops

from ..errors import InputError
from ..ops import Tensor
from .basic import Dropout, ResidualNormalization, initializer


@keras.saving.register_keras_serializable(package="kbert")
class Embeddings(keras.layers.Layer):
    """Token, position and segment vectors, summed, normalised, dropped out.

    Args:
        vocabulary_size, max_sequence_length, num_segments: rows of the three tables.
        hidden_dim: H.
        dropout: fraction dropped while training.
        layer_norm_epsilon: of the normalisation.

    Call:
        token_ids, segment_ids: int32 ``[B, T]`` → float ``[B, T, H]``. Ids are not
            checked: one beyond its table is TensorFlow's error on a CPU, and any row or
            NaN under XLA and on accelerators; a negative one counts from the end.

    Raises:
        InputError: T is 0 or above ``max_sequence_length``. A graph traced with an
            unknown T cannot tell in time: there a T too long is treated like an id
            beyond its table.

    Source:
        Devlin et al. 2019, arXiv:1810.04805, figure 2. Differs: nothing.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        max_sequence_length: int,
        num_segments: int,
        hidden_dim: int,
        dropout: float,
        layer_norm_epsilon: float,
        **layer_options: Any,
    ) -> None:
        super().__init__(**layer_options)
        self.sizes = {
            "vocabulary_size": vocabulary_size,
            "max_sequence_length": max_sequence_length,
            "num_segments": num_segments,
            "hidden_dim": hidden_dim,
            "dropout": dropout,
            "layer_norm_epsilon": layer_norm_epsilon,
        }
        # Nothing is dropped before this sum, only after its normalisation.
        self.layer_norm = ResidualNormalization(
            rate=0.0,
            epsilon=layer_norm_epsilon,
            name="layer_norm",
            dtype=self.dtype_policy,
        )
        self.dropout = Dropout(dropout, name="dropout", dtype=self.dtype_policy)

    def build(
        self,
        token_ids_shape: tuple[int | None, ...],
        segment_ids_shape: tuple[int | None, ...],
    ) -> None:
        def table(name: str, rows: str) -> keras.Variable:
            shape = (self.sizes[rows], self.sizes["hidden_dim"])
            # Rows are cast, not the table: gradients of a row add up in float32.
            return self.add_weight(
                shape=shape, initializer=initializer(), name=name, autocast=False
            )

        self.token = table("token", "vocabulary_size")
        self.position = table("position", "max_sequence_length")
        self.segment = table("segment", "num_segments")
        self.layer_norm.build((None, self.sizes["hidden_dim"]))

    def call(
        self, token_ids: Tensor, segment_ids: Tensor, training: bool = False
    ) -> Tensor:
        self._check_length(token_ids.shape[1])
        # A slice [:T] would be shorter, but JAX cannot trace it while T is unknown.
        positions = ops.arange(ops.shape(token_ids)[1])
        width = self.sizes["hidden_dim"]
        others = ops.take(self.segment, segment_ids, axis=0)
        others = others + ops.take(self.position, positions, axis=0)
        tokens, others = (
            ops.cast(ops.reshape(part, (-1, width)), self.compute_dtype)
            for part in (ops.take(self.token, token_ids, axis=0), others)
        )
        flat = self.layer_norm(tokens, others, training=training)
        x = ops.reshape(flat, (*ops.shape(token_ids), width))  # [B, T, H]
        return self.dropout(x, training=training)

    def _check_length(self, length: Any) -> None:
        """Refuse an empty or too long input; no int: not known while tracing."""
        longest = self.sizes["max_sequence_length"]
        if isinstance(length, int) and not 1 <= length <= longest:
            raise InputError(
                f"an input of {length} tokens",
                expected=f"1 to {longest} (max_sequence_length)",
                hint="Cut the text, or split it into windows." if length else None,
            )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.sizes}
