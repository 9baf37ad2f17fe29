"""Tokens a second of a pretraining step: kbert beside KerasHub and PyTorch.

Random weights and ids, length 128, 20 predictions a row, 30,522 word pieces, dropout
0.1, AdamW, bfloat16 products with float32 weights on all sides. kbert and PyTorch also
predict the next sentence and clip the gradient; KerasHub does neither.
"""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from timing import markdown, take_turns

LENGTH, PREDICTIONS, VOCABULARY = 128, 20, 30522
PRODUCT_ROWS = 4096


class Shape(NamedTuple):
    """A size, and the batch that it is timed with."""

    layers: int
    width: int
    heads: int
    batch: int
    steps: int


SHAPES = {"mini": Shape(4, 256, 4, 64, 4), "base": Shape(12, 768, 12, 16, 2)}


def measure(*, repetitions: int = 5) -> str:
    """The tables of both shapes, in Markdown."""
    tables = []
    for name, shape in SHAPES.items():
        batch = _batch(shape)
        contenders = {
            "kbert": _kbert(shape, batch),
            "KerasHub": _keras_hub(shape, batch),
            "transformers, PyTorch": _transformers(shape, batch),
            "bare product": _product(shape),
        }
        seconds = take_turns(contenders, repetitions=repetitions)
        tables.append(f"{name}, batch {shape.batch}:\n\n{_table(shape, seconds)}")
        print(f"{name} done", file=sys.stderr)
    return "\n\n".join(tables)


def _table(shape: Shape, seconds: dict[str, float]) -> str:
    flops = 2 * PRODUCT_ROWS * shape.width * 4 * shape.width
    rate = flops / seconds.pop("bare product")
    tokens = shape.steps * shape.batch * LENGTH
    rows = [
        [
            name,
            f"{tokens / own:,.0f}",
            f"{tokens / own * _flops_per_token(shape) / rate:.0%}",
            f"{own / seconds['kbert']:.2f}",
        ]
        for name, own in seconds.items()
    ]
    rows.append(["bare product", f"{rate / 1e9:,.0f} GFLOP/s", "100%", ""])
    return markdown(["step", "tokens/s", "of the product", "time, kbert = 1"], rows)


def _flops_per_token(shape: Shape) -> float:
    """Of a whole step, all layers at all positions: two per multiply-add, times three.

    kbert computes its last layer at the predictions alone, so its share is what it
    would need at this speed, not what it computes.
    """
    encoder = shape.layers * (24 * shape.width**2 + 4 * LENGTH * shape.width)
    head = PREDICTIONS / LENGTH * 2 * shape.width * (VOCABULARY + shape.width)
    return 3 * (encoder + head)


def _batch(shape: Shape) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    rows = np.tile(np.arange(1, LENGTH - 1), (shape.batch, 1))
    positions = np.sort(rng.permuted(rows, axis=1)[:, :PREDICTIONS], axis=1)
    return {
        "token_ids": rng.integers(5, VOCABULARY, (shape.batch, LENGTH)),
        "mask_positions": positions,
        "masked_lm": rng.integers(5, VOCABULARY, positions.shape),
        "next_sentence": rng.integers(0, 2, shape.batch),
    }


def _kbert(shape: Shape, batch: dict[str, np.ndarray]) -> Callable[[], Any]:
    from kbert import AdamW, BertConfig, build_pretraining_model, new_bert

    config = BertConfig(
        vocabulary_size=VOCABULARY,
        num_layers=shape.layers,
        num_heads=shape.heads,
        hidden_dim=shape.width,
        intermediate_dim=4 * shape.width,
    )
    heads = ("masked_lm", "next_sentence")
    bert = new_bert(config, heads=heads, dtype="mixed_bfloat16")
    model = build_pretraining_model(bert, expected_predictions=PREDICTIONS)
    model.compile(AdamW(1e-4), jit_compile=False)
    ids = batch["token_ids"].astype(np.int32)
    x = {
        "token_ids": ids,
        "segment_ids": np.zeros_like(ids),
        "padding_mask": np.ones(ids.shape, bool),
        "mask_positions": batch["mask_positions"].astype(np.int32),
    }
    y = {name: batch[name].astype(np.int32) for name in heads}
    weights = {name: np.ones(values.shape, np.float32) for name, values in y.items()}
    return _fit(model, (x, y, weights), shape.steps)


def _keras_hub(shape: Shape, batch: dict[str, np.ndarray]) -> Callable[[], Any]:
    import keras
    import keras_hub

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=VOCABULARY,
        num_layers=shape.layers,
        num_heads=shape.heads,
        hidden_dim=shape.width,
        intermediate_dim=4 * shape.width,
        dropout=0.1,
    )
    head = keras_hub.layers.MaskedLMHead(
        token_embedding=backbone.token_embedding, intermediate_activation="gelu"
    )
    positions = keras.Input((PREDICTIONS,), dtype="int32", name="mask_positions")
    outputs = head(backbone.output["sequence_output"], positions)
    model = keras.Model({**backbone.input, "mask_positions": positions}, outputs)
    keras.config.set_dtype_policy(before)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-4), loss=loss, jit_compile=False)
    ids = batch["token_ids"].astype(np.int32)
    x = {
        "token_ids": ids,
        "segment_ids": np.zeros_like(ids),
        "padding_mask": np.ones_like(ids),
        "mask_positions": batch["mask_positions"].astype(np.int32),
    }
    weights = np.ones(batch["masked_lm"].shape, np.float32)
    return _fit(model, (x, batch["masked_lm"], weights), shape.steps)


def _fit(model: Any, element: Any, steps: int) -> Callable[[], Any]:
    import tensorflow as tf

    batches = tf.data.Dataset.from_tensors(element).cache().repeat()
    return lambda: model.fit(batches, steps_per_epoch=steps, verbose=0, shuffle=False)


def _transformers(shape: Shape, batch: dict[str, np.ndarray]) -> Callable[[], Any]:
    import torch
    from transformers import BertConfig, BertForPreTraining

    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.width,
    )
    model = BertForPreTraining(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    labels = np.full(batch["token_ids"].shape, -100)
    np.put_along_axis(labels, batch["mask_positions"], batch["masked_lm"], axis=1)
    ids = torch.from_numpy(batch["token_ids"])
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": torch.zeros_like(ids),
        "labels": torch.from_numpy(labels),
        "next_sentence_label": torch.from_numpy(batch["next_sentence"]),
    }

    def run() -> None:
        for _ in range(shape.steps):
            with torch.autocast("cpu", torch.bfloat16):
                loss = model(**inputs).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

    return run


def _product(shape: Shape) -> Callable[[], Any]:
    import tensorflow as tf

    left = tf.cast(tf.random.normal([PRODUCT_ROWS, shape.width]), tf.bfloat16)
    right = tf.cast(tf.random.normal([shape.width, 4 * shape.width]), tf.bfloat16)
    product = tf.function(lambda: tf.matmul(left, right))
    return lambda: product()


if __name__ == "__main__":
    print(measure())
