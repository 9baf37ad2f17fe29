"""A BERT and its head for a task → the Keras model that is trained on it."""

from typing import Any, Literal

import keras
from keras import ops

from .errors import CheckpointError, ConfigError
from .model import Bert
from .objective import (
    Costs,
    Objective,
    TrainingModel,
    cross_entropies,
    encoder_inputs,
    last_vectors,
)
from .ops import Tensor

Loss = Literal["cross_entropy", "binary", "squared", "crf"]

_LOSSES: dict[str, tuple[Loss, ...]] = {
    "sequence_classifier": ("cross_entropy", "binary", "squared"),
    "token_classifier": ("cross_entropy", "crf"),
    "span": ("cross_entropy",),
    "multiple_choice": ("cross_entropy",),
}
_EXCLUDED = -1e9  # the logit of a padded place; finite in float32 sums


def build_task_model(
    bert: Bert,
    head: str,
    *,
    loss: Loss = "cross_entropy",
    expected_labels: float = 1.0,
) -> TrainingModel:
    """Put one head on an encoder, and leave out what it does not read.

    The last layer is computed only at [CLS], or at the words that have a label: same
    loss, same gradients, less work. The loss is the sum over the labels of a batch,
    by the number of rows times ``expected_labels``.

    Args:
        bert: with that head; the model shares its weights.
        head: ``sequence_classifier``, ``token_classifier``, ``span`` or
            ``multiple_choice``.
        loss: ``cross_entropy``; for ``sequence_classifier`` also ``binary`` (each class
            on its own, for several at once) and ``squared`` (a number); for
            ``token_classifier`` also ``crf``, if the BERT has that head too.
        expected_labels: of an average row; only a ``token_classifier`` has more than 1.

    Returns:
        A functional model with one output, named like the head: float32 logits.

        - ``sequence_classifier``: ``[B, C]``; labels int32 ``[B]``, ``binary`` float32
          ``[B, C]``, ``squared`` float32 ``[B]``.
        - ``token_classifier``: ``[B, W, C]``; one more input ``word_positions``, int32
          ``[B, W]``, the place of each word's first token; labels int32 ``[B, W]``.
          Words that are not there have weight 0, after those that are.
        - ``span``: ``[B, T, 2]``, start and end; labels int32 ``[B, 2]``.
        - ``multiple_choice``: ``[B, n]``; inputs ``[B, n, T]``; labels int32 ``[B]``.

        Weights, float32: ``[B]``; of a ``token_classifier`` ``[B, W]``.

    Raises:
        CheckpointError: the BERT has no such head, or no pooler where it is read.
        ConfigError: the head has no such loss.

    Example:
        >>> bert = kbert.with_heads(bert, {"sequence_classifier": 2})
        >>> model = kbert.build_task_model(bert, "sequence_classifier")
        >>> model.compile(kbert.AdamW(2e-5, bias_correction=True), jit_compile=False)
        >>> model.fit(batches, steps_per_epoch=steps, epochs=3)

    Source:
        Devlin et al. 2019, arXiv:1810.04805, section 4.
    """
    _check(bert, head, loss)
    build = {
        "sequence_classifier": _sequence_classifier,
        "token_classifier": _token_classifier,
        "span": _span,
        "multiple_choice": _multiple_choice,
    }[head]
    inputs, logits = build(bert)
    model = TrainingModel(inputs, {head: logits}, name="task")
    if loss == "crf":
        # Keras trains the weights of the layers between inputs and outputs, and those
        # that the model holds.
        model.crf = bert.heads["crf"]
    model.know({head: _objective(bert, head, loss)}, {head: expected_labels})
    return model


# === Heads ===


def _sequence_classifier(bert: Bert) -> tuple[dict[str, Tensor], Tensor]:
    inputs = encoder_inputs()
    logits = bert.heads["sequence_classifier"](_pooled(bert, inputs))
    return inputs, logits


def _token_classifier(bert: Bert) -> tuple[dict[str, Tensor], Tensor]:
    inputs = encoder_inputs()
    places = keras.Input((None,), dtype="int32", name="word_positions")
    vectors = last_vectors(bert, inputs, places)
    return {**inputs, places.name: places}, bert.heads["token_classifier"](vectors)


def _span(bert: Bert) -> tuple[dict[str, Tensor], Tensor]:
    inputs = encoder_inputs()
    logits = bert.heads["span"](last_vectors(bert, inputs))
    stands = ops.expand_dims(inputs["padding_mask"], -1)
    return inputs, ops.where(stands, logits, _EXCLUDED)


def _multiple_choice(bert: Bert) -> tuple[dict[str, Tensor], Tensor]:
    inputs = {
        name: keras.Input((None, None), dtype=one.dtype, name=name)
        for name, one in encoder_inputs().items()
    }
    flat = {name: _EachChoice(name=f"each_{name}")(inputs[name]) for name in inputs}
    scores = bert.heads["multiple_choice"](_pooled(bert, flat))  # [B·n, 1]
    return inputs, _Together(name="together")(scores, inputs["token_ids"])


def _pooled(bert: Bert, inputs: dict[str, Tensor]) -> Tensor:
    """float ``[B, H]``: what the pooler makes of [CLS]."""
    first = ops.zeros_like(inputs["token_ids"][:, :1])
    return bert.encoder.get_layer("pooler")(last_vectors(bert, inputs, first))


@keras.saving.register_keras_serializable(package="kbert")
class _EachChoice(keras.layers.Layer):
    """``[B, n, T]`` → ``[B·n, T]``."""

    def call(self, x: Tensor) -> Tensor:
        return ops.reshape(x, (-1, ops.shape(x)[-1]))

    def compute_output_spec(self, x: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor((None, x.shape[-1]), dtype=x.dtype)


@keras.saving.register_keras_serializable(package="kbert")
class _Together(keras.layers.Layer):
    """Scores ``[B·n, 1]`` of inputs ``[B, n, T]`` → ``[B, n]``."""

    def call(self, scores: Tensor, inputs: Tensor) -> Tensor:
        return ops.reshape(scores, ops.shape(inputs)[:2])

    def compute_output_spec(self, scores: Tensor, inputs: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape[:2], dtype=scores.dtype)


# === Losses ===


def _objective(bert: Bert, head: str, loss: Loss) -> Objective:
    if loss == "crf":
        return _CRFObjective(bert.heads["crf"])
    if loss == "binary":
        return _binary
    if loss == "squared":
        return _squared
    return {"span": _spans, "multiple_choice": _choices}.get(head, cross_entropies)


def _binary(labels: Tensor, logits: Tensor, weights: Tensor) -> Costs:
    """Of several classes at once: the mean of the cross-entropies of each."""
    right = ops.cast(ops.equal(logits > 0, labels > 0.5), "float32")
    # log(1 + exp(-|x|)) never overflows.
    both = ops.log1p(ops.exp(-ops.abs(logits))) + ops.relu(logits) - logits * labels
    return Costs(ops.mean(both, axis=-1), ops.mean(right, axis=-1), weights)


def _squared(labels: Tensor, logits: Tensor, weights: Tensor) -> Costs:
    return Costs(ops.square(logits[:, 0] - labels), None, weights)


def _spans(labels: Tensor, logits: Tensor, weights: Tensor) -> Costs:
    """The mean of both ends; right if both are."""
    logs = ops.log_softmax(logits, axis=1)  # [B, T, 2]
    own = ops.take_along_axis(logs, labels[:, None, :], axis=1)[:, 0]  # [B, 2]
    right = ops.all(ops.equal(ops.argmax(logs, axis=1), labels), axis=-1)
    return Costs(-ops.mean(own, axis=-1), ops.cast(right, "float32"), weights)


def _choices(labels: Tensor, logits: Tensor, weights: Tensor) -> Costs:
    logs = ops.log_softmax(logits, axis=-1)  # [B, n], n known only while it runs
    own = ops.take_along_axis(logs, labels[:, None], axis=-1)[:, 0]
    right = ops.equal(ops.cast(ops.argmax(logs, axis=-1), labels.dtype), labels)
    return Costs(-own, ops.cast(right, "float32"), weights)


class _CRFObjective:
    """Costs of whole sentences, by the word."""

    def __init__(self, crf: Any) -> None:
        self._crf = crf

    def __call__(self, labels: Tensor, logits: Tensor, weights: Tensor) -> Costs:
        words = ops.sum(weights, axis=-1)  # [B]
        likelihood = self._crf.log_likelihood(logits, labels, weights > 0)
        return Costs(-likelihood / ops.maximum(words, 1.0), None, words)


# === Checks ===


def _check(bert: Bert, head: str, loss: Loss) -> None:
    if head not in _LOSSES:
        expected = f"one of {', '.join(_LOSSES)}"
        raise ConfigError(f"head={head!r} of a task", expected=expected)
    if loss not in _LOSSES[head]:
        raise ConfigError(
            f"loss={loss!r} with the head {head}",
            expected=" or ".join(map(repr, _LOSSES[head])),
        )
    for name in (head, "crf") if loss == "crf" else (head,):
        if name not in bert.heads:
            raise CheckpointError(
                f"the model has no head {name}",
                expected=f"one of {', '.join(bert.heads) or 'its own: it has none'}",
                hint="Fine-tune it for this task, or use the model of such a run.",
            )
    needs_pooler = head in ("sequence_classifier", "multiple_choice")
    if needs_pooler and "pooled_output" not in bert.encoder.output:
        raise CheckpointError(
            f"the model has no pooler, which the head {head} reads",
            hint="Load another model, or one that was pretrained with sentence pairs.",
        )
