"""A config → the functional Keras encoder, every layer's vectors among its outputs."""

import keras

from .config import BertConfig
from .layers import Embeddings, EncoderLayer, Pooler

INPUTS = {"token_ids": "int32", "segment_ids": "int32", "padding_mask": "bool"}


def build_encoder(
    config: BertConfig,
    *,
    attention_weights: bool = False,
    pooler: bool = True,
    dtype: str | keras.DTypePolicy | None = None,
) -> keras.Model:
    """Build an encoder with random weights.

    Args:
        config: its sizes.
        attention_weights: whether to add the output of that name.
        pooler: whether there is ``pooled_output``; some checkpoints have no weights
            for it.
        dtype: Keras dtype policy, such as ``"mixed_bfloat16"``; the global one if
            ``None``. Normalisation and softmax are computed in float32 in all.

    Returns:
        A functional model. Inputs, a dict: ``token_ids`` and ``segment_ids``, int32
        ``[B, T]``, and ``padding_mask``, bool ``[B, T]``, true where a token stands
        (what ``kbert.Tokenizer`` returns). Outputs, a dict: ``sequence_output``, float
        ``[B, T, H]``; ``pooled_output``, float ``[B, H]``; ``hidden_states``, L + 1
        tensors, float ``[B, T, H]``, the embeddings first; and, if asked for,
        ``attention_weights``, L tensors, float ``[B, N, T, T]``. Vectors at padding
        hold no meaning. Padding and batch-mates change nothing beyond rounding.

    Example:
        >>> config = BertConfig.from_size("tiny", vocabulary_size=100)
        >>> build_encoder(config).count_params()
        491904

    Source:
        Devlin et al. 2019, arXiv:1810.04805, section 3. Differs: nothing.
    """
    # === Inputs and layers ===
    inputs = {
        name: keras.Input((None,), dtype=kind, name=name)
        for name, kind in INPUTS.items()
    }
    embeddings = Embeddings(
        vocabulary_size=config.vocabulary_size,
        max_sequence_length=config.max_sequence_length,
        num_segments=config.num_segments,
        hidden_dim=config.hidden_dim,
        dropout=config.dropout,
        layer_norm_epsilon=config.layer_norm_epsilon,
        name="embeddings",
        dtype=dtype,
    )
    layers = [
        EncoderLayer(
            num_heads=config.num_heads,
            intermediate_dim=config.intermediate_dim,
            dropout=config.dropout,
            activation=config.activation,
            layer_norm_epsilon=config.layer_norm_epsilon,
            attention_weights=attention_weights,
            name=f"layer_{number}",
            dtype=dtype,
        )
        for number in range(1, config.num_layers + 1)
    ]

    # === Functional model ===
    x = embeddings(inputs["token_ids"], inputs["segment_ids"])
    hidden_states, weights = [x], []
    for layer in layers:
        if attention_weights:
            x, weight = layer(x, inputs["padding_mask"])
            weights.append(weight)
        else:
            x = layer(x, inputs["padding_mask"])
        hidden_states.append(x)
    outputs = {
        "sequence_output": x,
        "hidden_states": hidden_states,
    }
    if pooler:
        outputs["pooled_output"] = Pooler(name="pooler", dtype=dtype)(x)
    if attention_weights:
        outputs["attention_weights"] = weights
    return keras.Model(inputs, outputs, name="encoder")
