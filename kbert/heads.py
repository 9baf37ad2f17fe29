"""Output layers on the encoder: masked tokens, next sentence, and one dense layer."""

from typing import Any

import keras
from keras import ops

from .config import HEADS as HEADS
from .config import Activation, BertConfig, check_head
from .crf import CRF
from .layers import Dense, Dropout, Embeddings, LayerNormalization
from .ops import Tensor


@keras.saving.register_keras_serializable(package="kbert")
class MaskedLMHead(keras.layers.Layer):
    """Scores of every word piece at some positions; tied to the token embedding.

    Args:
        embeddings: the encoder's ``Embeddings`` layer; its token table is the decoder.
        activation: GELU form of the transform.
        layer_norm_epsilon: of the transform's normalisation.

    Call:
        x: float ``[…, H]``, vectors of the last layer at the positions to predict.
        Returns: float32 ``[…, V]``, logits.

    Source:
        google-research/bert ``run_pretraining.py``, ``get_masked_lm_output``.
        Differs: nothing.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        *,
        activation: Activation,
        layer_norm_epsilon: float,
        **layer_options: Any,
    ) -> None:
        super().__init__(**layer_options)
        self.embeddings, self.activation = embeddings, activation
        self.layer_norm = LayerNormalization(
            epsilon=layer_norm_epsilon, name="layer_norm", dtype=self.dtype_policy
        )

    def build(self, x_shape: tuple[int | None, ...]) -> None:
        width = x_shape[-1]
        self.transform = Dense(
            width, activation=self.activation, name="transform", dtype=self.dtype_policy
        )
        self.transform.build((None, width))
        self.layer_norm.build((None, width))
        self.bias = self.add_weight(
            shape=(self.embeddings.sizes["vocabulary_size"],),
            initializer="zeros",
            name="bias",
            autocast=False,
        )

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        x = self.layer_norm(self.transform(x, training=training), training=training)
        table = ops.cast(self.embeddings.token, x.dtype)  # [V, H]
        scores = ops.matmul(x, ops.transpose(table))
        return ops.cast(scores, "float32") + self.bias

    def get_config(self) -> dict[str, Any]:
        own = {
            "embeddings": keras.saving.serialize_keras_object(self.embeddings),
            "activation": self.activation,
            "layer_norm_epsilon": self.layer_norm.epsilon,
        }
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MaskedLMHead":
        embeddings = keras.saving.deserialize_keras_object(config.pop("embeddings"))
        return cls(embeddings, **config)


@keras.saving.register_keras_serializable(package="kbert")
class DenseHead(keras.layers.Layer):
    """One dense layer; serves every head but masked tokens and the CRF.

    Args:
        units: classes; 2 for ``next_sentence`` (0 = follows, 1 = random) and for
            ``span`` (start, end); 1 for ``multiple_choice`` and regression.
        dropout: fraction of its input dropped while training.

    Call:
        x: float ``[…, H]`` → float32 ``[…, units]``, logits.

    Source:
        Devlin et al. 2019, arXiv:1810.04805, section 4. Differs: nothing.
    """

    def __init__(self, units: int, *, dropout: float, **layer_options: Any) -> None:
        super().__init__(**layer_options)
        self.units, self.rate = units, dropout
        self.dropout = Dropout(dropout, name="dropout", dtype=self.dtype_policy)
        self.dense = Dense(units, name="dense", dtype=self.dtype_policy)

    def build(self, x_shape: tuple[int | None, ...]) -> None:
        self.dense.build(x_shape)

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        return ops.cast(self.dense(self.dropout(x, training=training)), "float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "dropout": self.rate}


def build_head(
    name: str, encoder: keras.Model, config: BertConfig, *, units: int = 2
) -> keras.layers.Layer:
    """Build one head with random weights, on an encoder.

    Args:
        name: one of ``HEADS``.
        encoder: what ``build_encoder(config)`` gave.
        config: its config.
        units: classes; ``masked_lm`` does not use it.

    Returns:
        A built layer, ``MaskedLMHead``, ``CRF`` or ``DenseHead``. ``HEADS[name]`` says
        what to call it on: ``"pooled"``, the output ``pooled_output``, ``"tokens"``,
        rows of ``sequence_output``, or ``"logits"``, those of ``token_classifier``.

    Raises:
        ConfigError: no head is called ``name``, or ``units`` is no number of classes.
    """
    check_head(name, units)
    embeddings = encoder.get_layer("embeddings")
    dtype = embeddings.dtype_policy
    if name == "crf":
        crf = CRF(units, name=name, dtype="float32")
        crf.build((None, None, units))
        return crf
    if name == "masked_lm":
        head: keras.layers.Layer = MaskedLMHead(
            embeddings,
            activation=config.activation,
            layer_norm_epsilon=config.layer_norm_epsilon,
            name=name,
            dtype=dtype,
        )
    else:
        # The original drops nothing before these layers.
        dropout = 0.0 if name in ("next_sentence", "span") else config.dropout
        head = DenseHead(units, dropout=dropout, name=name, dtype=dtype)
    head.build((None, config.hidden_dim))
    return head
