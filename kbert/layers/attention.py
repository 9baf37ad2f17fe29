"""Vectors → vectors that know of the others of their text."""

from typing import Any

import keras
from keras import ops

from .. import ops as fast
from ..ops import Tensor
from .basic import Dense, Dropout


@keras.saving.register_keras_serializable(package="kbert")
class SelfAttention(keras.layers.Layer):
    """Every token looks at every token of its text, with N heads.

    Args:
        num_heads: N, divides the width H of the input.
        dropout: fraction of attention weights dropped while training.
        attention_weights: whether the call also returns them.

    Call:
        x: float ``[B·T, H]``, flat.
        padding_mask: bool ``[B, T]``, true where a token stands.
        positions: int32 ``[B, P]``, the tokens that look; by default all, and P = T.
        Returns: float ``[B·P, H]`` and the attention weights, float ``[B, N, P, T]``,
        or ``None`` unless they were asked for.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.2. Differs: query, key and
        value are one kernel ``[H, 3H]``, hence one product.
    """

    def __init__(
        self,
        *,
        num_heads: int,
        dropout: float,
        attention_weights: bool = False,
        **layer_options: Any,
    ) -> None:
        super().__init__(**layer_options)
        self.num_heads, self.rate = num_heads, dropout
        self.attention_weights = attention_weights
        self.dropout = Dropout(dropout, name="dropout", dtype=self.dtype_policy)

    def build(self, x_shape: tuple[int | None, ...], *other_shapes: Any) -> None:
        width = x_shape[-1]
        policy = self.dtype_policy
        self.query_key_value = Dense(3 * width, name="query_key_value", dtype=policy)
        self.query_key_value.build((None, width))
        self.output_dense = Dense(width, name="output", dtype=policy)
        self.output_dense.build((None, width))

    def call(
        self,
        x: Tensor,
        padding_mask: Tensor,
        positions: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        query, key, value = self._heads(x, padding_mask, positions, bool(training))
        scores = ops.matmul(query, key)  # [B, N, P, T]
        weights = None
        if training and not self.attention_weights:
            seed = fast.next_seed(self.dropout.seeds)
            used = fast.attention_dropout(scores, padding_mask, seed, rate=self.rate)
        else:
            weights = fast.attention_probabilities(
                scores, padding_mask, training=bool(training)
            )
            used = self.dropout(weights, training=training)
        mixed = fast.merge_heads(ops.matmul(used, value))
        return self.output_dense(mixed), weights if self.attention_weights else None

    def _heads(
        self, x: Tensor, padding_mask: Tensor, positions: Tensor | None, training: bool
    ) -> list[Tensor]:
        """Query ``[B, N, P, D]``, key ``[B, N, D, T]`` and value ``[B, N, T, D]``."""
        how = {"num_heads": self.num_heads, "training": training}
        if positions is None:
            parts = ("query", "key", "value")
            return fast.split_heads(
                self.query_key_value(x), padding_mask, parts=parts, **how
            )
        width = x.shape[-1]
        kernel, bias = self.query_key_value.kernel, self.query_key_value.bias
        rows = fast.gather_rows(x, positions, padding_mask)
        queries = fast.dense(rows, kernel[:, :width], bias[:width], training=training)
        others = fast.dense(x, kernel[:, width:], bias[width:], training=training)
        return [
            *fast.split_heads(queries, positions, parts=("query",), **how),
            *fast.split_heads(others, padding_mask, parts=("key", "value"), **how),
        ]

    def get_config(self) -> dict[str, Any]:
        own = {
            "num_heads": self.num_heads,
            "dropout": self.rate,
            "attention_weights": self.attention_weights,
        }
        return {**super().get_config(), **own}
