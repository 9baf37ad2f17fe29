"""The bricks of the encoder: dense, norm, embeddings, attention, block, pooler.

Blocks keep their vectors flat, ``[B·T, H]``, from the first product to the last one:
that is the form that fuses (see ``kbert.ops``).
"""

from typing import Any

import keras
from keras import ops

from . import ops as fast
from .config import Activation
from .errors import InputError
from .ops import Tensor


def initializer() -> keras.initializers.Initializer:
    """Truncated normal of standard deviation 0.02, for every kernel and embedding."""
    return keras.initializers.TruncatedNormal(stddev=0.02)


@keras.saving.register_keras_serializable(package="kbert")
class Dense(keras.layers.Layer):
    """``activation(x @ kernel + bias)``.

    Args:
        units: width of the output.
        activation: ``None``, ``"tanh"``, or a GELU form of ``BertConfig``.

    Call:
        x: float ``[…, in]`` → float ``[…, units]``; two axes are the fast case.
    """

    def __init__(
        self,
        units: int,
        *,
        activation: Activation | str | None = None,
        **layer_options: Any,
    ) -> None:
        super().__init__(**layer_options)
        self.units, self.activation = units, activation

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units),
            initializer=initializer(),
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(self.units,), initializer="zeros", name="bias"
        )

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        flat = x if len(x.shape) == 2 else ops.reshape(x, (-1, x.shape[-1]))
        y = self._activate(fast.dense(flat, self.kernel, self.bias), bool(training))
        if len(x.shape) == 2:
            return y
        return ops.reshape(y, (*ops.shape(x)[:-1], self.units))

    def _activate(self, y: Tensor, training: bool) -> Tensor:
        if self.activation is None:
            return y
        if self.activation == "tanh":
            return ops.tanh(y)
        approximate = self.activation == "gelu_tanh"
        return fast.gelu(y, approximate=approximate, training=training)

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "activation": self.activation}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="kbert")
class LayerNormalization(keras.layers.Layer):
    """Zero mean and unit variance over the last axis, then scale and shift.

    Args:
        epsilon: added to the variance.

    Call:
        x: float ``[…, H]``, same out; statistics in float32 under every dtype policy.

    Source:
        Ba et al. 2016, arXiv:1607.06450. Differs: nothing.
    """

    def __init__(self, *, epsilon: float = 1e-12, **layer_options: Any) -> None:
        super().__init__(**layer_options)
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        def weight(name: str, initial: str) -> keras.Variable:
            return self.add_weight(
                shape=(input_shape[-1],), initializer=initial, name=name, autocast=False
            )

        self.gamma, self.beta = weight("gamma", "ones"), weight("beta", "zeros")

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        flat = x if len(x.shape) == 2 else ops.reshape(x, (-1, x.shape[-1]))
        y = fast.layer_normalization(
            flat, self.gamma, self.beta, epsilon=self.epsilon, training=bool(training)
        )
        return y if len(x.shape) == 2 else ops.reshape(y, ops.shape(x))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="kbert")
class Dropout(keras.layers.Layer):
    """Set a fraction of the numbers to 0 while training, and scale up the rest.

    Args:
        rate: the fraction, in [0, 1).

    Call:
        x: float, any shape, same out.
    """

    def __init__(self, rate: float, **layer_options: Any) -> None:
        super().__init__(**layer_options)
        self.rate = rate
        self.seeds = keras.random.SeedGenerator()
        self.built = True

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        if not (training and self.rate):
            return x
        return fast.dropout(x, self.seeds.next(), rate=self.rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable(package="kbert")
class ResidualNormalization(LayerNormalization):
    """``LayerNormalization(residual + Dropout(x))``, one pass while training.

    Args:
        rate: fraction dropped while training.
        epsilon: added to the variance.

    Call:
        x, residual: float ``[rows, H]``, same out.
    """

    def __init__(
        self, *, rate: float, epsilon: float = 1e-12, **layer_options: Any
    ) -> None:
        super().__init__(epsilon=epsilon, **layer_options)
        self.rate = rate
        self.seeds = keras.random.SeedGenerator()

    def call(self, x: Tensor, residual: Tensor, training: bool = False) -> Tensor:
        if not training:
            return super().call(residual + x)
        return fast.add_and_normalize(
            x,
            residual,
            self.gamma,
            self.beta,
            self.seeds.next(),
            rate=self.rate,
            epsilon=self.epsilon,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


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
            seed = self.dropout.seeds.next()
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
        queries = fast.dense(rows, kernel[:, :width], bias[:width])
        others = fast.dense(x, kernel[:, width:], bias[width:])
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
