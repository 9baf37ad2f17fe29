"""Attention and feed-forward: one block of the encoder; and the pooler after all."""

from typing import Any

import keras
from keras import ops

from .. import ops as fast
from ..config import Activation
from ..ops import Tensor
from .attention import SelfAttention
from .basic import Dense, ResidualNormalization


@keras.saving.register_keras_serializable(package="kbert")
class EncoderLayer(keras.layers.Layer):
    """One block: attention, then feed-forward, each added to its input and normalised.

    Args:
        num_heads: N.
        intermediate_dim: F.
        dropout: fraction dropped while training.
        activation: GELU form of the feed-forward part.
        layer_norm_epsilon: of both normalisations.
        attention_weights: whether the call also returns them.

    Call:
        x: float ``[B, T, H]``.
        padding_mask: bool ``[B, T]``, true where a token stands.
        positions: int32 ``[B, P]``, the tokens whose vectors are wanted; by default
            all, and P = T. What is not wanted is not computed.
        Returns: float ``[B, P, H]``; with ``attention_weights`` a pair, the second
        float ``[B, N, P, T]``.

    Source:
        Devlin et al. 2019, arXiv:1810.04805, section 3. Differs: nothing.
    """

    def __init__(
        self,
        *,
        num_heads: int,
        intermediate_dim: int,
        dropout: float,
        activation: Activation,
        layer_norm_epsilon: float,
        attention_weights: bool = False,
        **layer_options: Any,
    ) -> None:
        super().__init__(**layer_options)
        self.options = {
            "num_heads": num_heads,
            "intermediate_dim": intermediate_dim,
            "dropout": dropout,
            "activation": activation,
            "layer_norm_epsilon": layer_norm_epsilon,
            "attention_weights": attention_weights,
        }
        policy = self.dtype_policy
        self.attention = SelfAttention(
            num_heads=num_heads,
            dropout=dropout,
            attention_weights=attention_weights,
            name="attention",
            dtype=policy,
        )
        self.intermediate = Dense(
            intermediate_dim, activation=activation, name="intermediate", dtype=policy
        )
        self.attention_layer_norm, self.output_layer_norm = (
            ResidualNormalization(
                rate=dropout, epsilon=layer_norm_epsilon, name=name, dtype=policy
            )
            for name in ("attention_layer_norm", "output_layer_norm")
        )

    def build(self, x_shape: tuple[int | None, ...], *other_shapes: Any) -> None:
        width = x_shape[-1]
        self.output_dense = Dense(width, name="output", dtype=self.dtype_policy)
        self.output_dense.build((None, self.options["intermediate_dim"]))
        self.attention.build((None, width))
        self.intermediate.build((None, width))
        self.attention_layer_norm.build((None, width))
        self.output_layer_norm.build((None, width))

    def call(
        self,
        x: Tensor,
        padding_mask: Tensor,
        positions: Tensor | None = None,
        training: bool = False,
    ) -> Any:
        places = padding_mask if positions is None else positions
        shape = (*ops.shape(places), x.shape[-1])
        flat = ops.reshape(x, (-1, x.shape[-1]))  # [B·T, H]
        attended, weights = self.attention(
            flat, padding_mask, positions, training=training
        )
        if positions is not None:
            flat = fast.gather_rows(flat, positions, padding_mask)  # [B·P, H]
        flat = self.attention_layer_norm(attended, flat, training=training)
        fed = self.output_dense(self.intermediate(flat, training=training))
        y = ops.reshape(self.output_layer_norm(fed, flat, training=training), shape)
        return (y, weights) if self.options["attention_weights"] else y

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.options}


@keras.saving.register_keras_serializable(package="kbert")
class Pooler(keras.layers.Layer):
    """The vector of the first token ([CLS]) through a dense layer and tanh.

    Call:
        x: float ``[B, T, H]`` → float ``[B, H]``.
    """

    def build(self, x_shape: tuple[int | None, ...]) -> None:
        self.dense = Dense(
            x_shape[-1], activation="tanh", name="dense", dtype=self.dtype_policy
        )
        self.dense.build((None, x_shape[-1]))

    def call(self, x: Tensor) -> Tensor:
        return self.dense(x[:, 0])
