"""Dense, normalisation and dropout: the bricks of every other layer."""

from typing import Any

import keras
from keras import ops

from .. import ops as fast
from ..config import Activation
from ..ops import Tensor


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
        y = fast.dense(flat, self.kernel, self.bias, training=bool(training))
        y = self._activate(y, bool(training))
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
        return fast.dropout(x, fast.next_seed(self.seeds), rate=self.rate)

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
            fast.next_seed(self.seeds),
            rate=self.rate,
            epsilon=self.epsilon,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}
