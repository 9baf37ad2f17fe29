"""kbert-mini's last leg: pretrained on, with a larger model's word vectors as labels.

First the student's token embeddings take up what the teacher's say of the same pieces
(distil_embeddings.py). Then rows of ``kbert create-pretraining-data`` are masked as in
pretraining, and both of its losses stay. Besides, the teacher reads the row's two texts
whole, one at a time (distil_teacher.py). What it makes of a word in its middle and in
its last layer has to be said by the word, be it masked or not, in the middle and in the
last layer of the student: squared error. And the pooled output has to say the mean of
each text's words: cosine. Only the encoder and the two heads are kept.

``python benchmarks/distil_bundled_model.py MODEL TEACHER DATA OUTPUT [--steps N]``
writes a model directory and, beside it, ``OUTPUT.jsonl``.
"""

import dataclasses
import json
import statistics
import time
from pathlib import Path
from typing import Any

import click
import keras
from distil_embeddings import take_up
from distil_teacher import LONG_EVERY, MASKING, SHAPES, TEACHER_LAYERS, TEXTS, Teacher
from keras import ops

import kbert
from kbert.objective import Costs, TrainingModel, cross_entropies, encoder_inputs
from kbert.optimizers import LearningRate


@click.command()
@click.argument("model")
@click.argument("teacher")
@click.argument("data")
@click.argument("output", type=Path)
@click.option("--steps", default=4500, show_default=True)
@click.option("--learning-rate", default=7e-4, show_default=True)
@click.option("--warmup-steps", default=200, show_default=True)
@click.option("--seed", default=4, show_default=True)
@click.option("--save-every", default=300, show_default=True)
def main(
    model: str, teacher: str, data: str, output: Path, save_every: int, **recipe: Any
) -> None:
    """Train MODEL on DATA with TEACHER's vectors; write a model directory."""
    keras.utils.set_random_seed(recipe["seed"])
    bert = kbert.load(model, dtype="mixed_bfloat16")
    take_up(bert, teacher)
    source = Teacher(teacher, bert)
    student = _student(bert, source.width)
    _compile(student, recipe)
    start, lines, logs = time.perf_counter(), [], []
    batches = source.batches(data, recipe["steps"], recipe["seed"])
    for step, batch in enumerate(batches, start=1):
        logs.append(student.train_on_batch(*batch, return_dict=True))
        last = step == recipe["steps"]
        if step % 100 == 0 or last:
            seconds = time.perf_counter() - start
            lines.append({"step": step, "seconds": seconds, **_means(logs)})
            print(json.dumps(lines[-1]), flush=True)
            logs = []
        if step % save_every == 0 or last:
            training = _training(bert, {**recipe, "done": step}, lines)
            kbert.save(
                dataclasses.replace(bert, training=training), output, overwrite=True
            )
            text = "".join(json.dumps(line) + "\n" for line in lines)
            output.with_suffix(".jsonl").write_text(text, "utf-8")


def _means(logs: list[dict[str, Any]]) -> dict[str, float]:
    return {
        name: statistics.fmean(float(one[name]) for one in logs) for name in logs[0]
    }


def _compile(student: TrainingModel, recipe: dict[str, Any]) -> None:
    schedule = LearningRate(
        recipe["learning_rate"],
        steps=recipe["steps"],
        warmup_steps=recipe["warmup_steps"],
    )
    optimizer = kbert.AdamW(schedule, bias_correction=True, global_clipnorm=1.0)
    student.compile(optimizer, jit_compile=False)


def _training(
    bert: kbert.Bert, recipe: dict[str, Any], lines: list[dict[str, Any]]
) -> dict[str, Any]:
    """What the model directory says of how it was made."""
    shapes = {"shapes": [list(shape) for shape in SHAPES.items()]}
    settings = {**recipe, **shapes, "long_every": LONG_EVERY}
    settings["masking"] = dataclasses.asdict(MASKING)
    return {
        "distilled": {"settings": settings, "metrics": lines[-1] if lines else {}},
        "before": dict(bert.training),
    }


# === The student ===


def _student(bert: kbert.Bert, width: int) -> TrainingModel:
    """The pretraining model, with the last layer everywhere and two more outputs."""
    inputs = encoder_inputs()
    read = bert.encoder(inputs)
    positions = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in ("mask_positions", "word_positions")
    }
    middle = read["hidden_states"][bert.config.num_layers // 2]  # [B, T, H]
    vectors, pooled = read["hidden_states"][-1], read["pooled_output"]
    hidden = _Gather()(vectors, positions["mask_positions"])
    words = [
        keras.layers.Dense(width // len(TEACHER_LAYERS), dtype="mixed_bfloat16")(
            _Gather()(layer, positions["word_positions"])
        )
        for layer in (middle, vectors)
    ]
    texts = keras.layers.Dense(TEXTS * width, dtype="mixed_bfloat16")(pooled)
    outputs = {
        "masked_lm": bert.heads["masked_lm"](hidden),
        "next_sentence": bert.heads["next_sentence"](pooled),
        "words": ops.cast(ops.concatenate(words, axis=-1), "float32"),
        "texts": ops.cast(keras.layers.Reshape((TEXTS, width))(texts), "float32"),
    }
    student = TrainingModel({**inputs, **positions}, outputs)
    expected = MASKING.mask_rate * bert.config.max_sequence_length / 2
    student.know(
        {
            "masked_lm": cross_entropies,
            "next_sentence": cross_entropies,
            "words": _squared_errors,
            "texts": _angles,
        },
        # So that each of the four counts for about as much as the others.
        {"masked_lm": expected, "next_sentence": 1.0, "words": 20.0, "texts": 1.0},
    )
    return student


@keras.saving.register_keras_serializable(package="kbert_benchmarks")
class _Gather(keras.layers.Layer):
    """Vectors ``[B, T, H]`` at places ``[B, P]`` → ``[B, P, H]``."""

    def call(self, vectors: Any, places: Any) -> Any:
        return ops.take_along_axis(vectors, places[:, :, None], axis=1)

    def compute_output_spec(self, vectors: Any, places: Any) -> keras.KerasTensor:
        shape = (*places.shape, vectors.shape[-1])
        return keras.KerasTensor(shape, dtype=vectors.dtype)


def _squared_errors(labels: Any, guesses: Any, weights: Any) -> Costs:
    """By word, as a share of the variance."""
    errors = ops.mean(ops.square(ops.cast(labels, "float32") - guesses), axis=-1)
    return Costs(ops.reshape(errors, (-1,)), None, ops.reshape(weights, (-1,)))


def _angles(labels: Any, guesses: Any, weights: Any) -> Costs:
    """1 − cosine, by text."""
    own = ops.normalize(guesses, axis=-1)
    cosines = ops.sum(own * ops.normalize(labels, axis=-1), axis=-1)
    return Costs(1.0 - ops.reshape(cosines, (-1,)), None, ops.reshape(weights, (-1,)))


if __name__ == "__main__":
    main()
