"""Tokens a second of a BERT-base-shaped encoder: kbert beside PyTorch and KerasHub.

Random weights, batch 32 × 128, no padding, bfloat16; and the bare bfloat16 product of
the same run, which is the limit.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from timing import markdown, take_turns

BATCH, LENGTH, VOCABULARY = 32, 128, 30522
WIDTH, INNER, LAYERS = 768, 3072, 12
# Two per multiply-add in the dense layers; the attention products are not counted.
FLOPS_PER_TOKEN = LAYERS * 2 * (4 * WIDTH**2 + 2 * WIDTH * INNER)
PRODUCT_ROWS = 4096


def measure(*, repetitions: int = 7) -> str:
    """The table, in Markdown."""
    token_ids = np.random.default_rng(0).integers(0, VOCABULARY, (BATCH, LENGTH))
    contenders = {
        "kbert, frozen": _kbert(token_ids),
        "transformers, PyTorch": _transformers(token_ids),
        "KerasHub, predict": _keras_hub(token_ids),
        "bare product": _product(),
    }
    seconds = take_turns(contenders, repetitions=repetitions)
    product_flops = 2 * PRODUCT_ROWS * WIDTH * INNER / seconds.pop("bare product")
    rows = []
    for name, own in seconds.items():
        tokens = BATCH * LENGTH / own
        rows.append(
            [
                name,
                f"{tokens:,.0f}",
                f"{tokens * FLOPS_PER_TOKEN / 1e9:,.0f}",
                f"{tokens * FLOPS_PER_TOKEN / product_flops:.0%}",
                f"{own / seconds['kbert, frozen']:.2f}",
            ]
        )
    rows.append(["bare product", "", f"{product_flops / 1e9:,.0f}", "100%", ""])
    head = ["encoder", "tokens/s", "GFLOP/s", "of the product", "time, kbert = 1"]
    return markdown(head, rows)


def _kbert(token_ids: np.ndarray) -> Callable[[], Any]:
    from kbert import BertConfig, FeatureSettings, build_encoder
    from kbert.features.batches import Batch
    from kbert.features.frozen import FrozenEncoder

    config = BertConfig.from_size("base", vocabulary_size=VOCABULARY)
    settings = FeatureSettings(unit="token", compute_dtype="bfloat16").resolve(config)
    encoder = FrozenEncoder(_trained_like(build_encoder(config)), config, settings)
    places = np.arange(BATCH * LENGTH, dtype=np.int32)
    full = np.full(BATCH, LENGTH, np.int32)
    batch = Batch(token_ids.astype(np.int32), full, full, places, places, places)
    return lambda: encoder(batch)


def _trained_like(encoder: Any) -> Any:
    """Biases and norms as trained models have them: of zeros nothing can be fused."""
    rng = np.random.default_rng(0)
    for weight in encoder.weights:
        if len(weight.shape) == 1:
            weight.assign(weight + 0.02 * rng.normal(size=weight.shape))
    return encoder


def _transformers(token_ids: np.ndarray) -> Callable[[], Any]:
    import torch
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(), add_pooling_layer=False).to(torch.bfloat16).eval()
    ids = torch.from_numpy(token_ids)
    mask = torch.ones_like(ids)

    @torch.inference_mode()
    def run() -> Any:
        return model(input_ids=ids, attention_mask=mask).last_hidden_state.float()

    return run


def _keras_hub(token_ids: np.ndarray) -> Callable[[], Any]:
    import keras_hub

    model = keras_hub.models.BertBackbone(
        vocabulary_size=VOCABULARY,
        num_layers=LAYERS,
        num_heads=12,
        hidden_dim=WIDTH,
        intermediate_dim=INNER,
        dtype="bfloat16",
    )
    inputs = {
        "token_ids": token_ids,
        "segment_ids": np.zeros_like(token_ids),
        "padding_mask": np.ones_like(token_ids),
    }
    return lambda: model.predict(inputs, batch_size=BATCH, verbose=0)


def _product() -> Callable[[], Any]:
    import tensorflow as tf

    left = tf.cast(tf.random.normal([PRODUCT_ROWS, WIDTH]), tf.bfloat16)
    right = tf.cast(tf.random.normal([WIDTH, INNER]), tf.bfloat16)
    product = tf.function(lambda: tf.matmul(left, right))
    return lambda: product()


if __name__ == "__main__":
    print(measure())
