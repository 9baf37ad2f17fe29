"""A functional model and its losses; and the one that pretrains a BERT."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
from keras import ops

from . import ops as fast
from .encoder import INPUTS
from .model import Bert
from .ops import Tensor

_FIGURES = ("loss", "accuracy")


class Costs(NamedTuple):
    """What the labels of one head cost in a batch; all float32 ``[N]``.

    Args:
        losses: of each label.
        right: 1 where the guess was right; ``None`` where nothing is right or wrong.
        weights: 0 where nothing is asked.
    """

    losses: Tensor
    right: Tensor | None
    weights: Tensor


# (labels, logits, weights) of one head → Costs
Objective = Callable[[Tensor, Tensor, Tensor], Costs]


@keras.saving.register_keras_serializable(package="kbert")
class TrainingModel(keras.Model):
    """A functional model that knows its losses: of pretraining, or of a task.

    ``build_pretraining_model`` and ``build_task_model`` give one. Compile it with an
    optimizer alone, and fit it on ``(x, y, sample_weight)``, where y and the weights
    have the names of the outputs. It reports ``…_loss`` and ``…_accuracy`` of each:
    exact means over all that was asked, in nats.

    Source:
        google-research/bert ``run_pretraining.py``. Differs: the original divides a
        batch's loss by the number of its labels; here it can be a constant, the number
        that is expected. The two are equal on average, and the constant makes
        accumulated batches and several devices give exactly the gradient of the whole
        batch.
    """

    # Set by the functions that build one: a subclass of a functional model keeps the
    # constructor of keras.Model.
    objectives: Mapping[str, Objective]
    expected_labels: dict[str, float | None]

    def know(
        self,
        objectives: Mapping[str, Objective],
        expected_labels: dict[str, float | None],
    ) -> None:
        """Take the losses.

        Args:
            objectives: of each output, by its name.
            expected_labels: of an average row, of each output; ``None`` for those that
                each batch has.
        """
        self.objectives, self.expected_labels = objectives, expected_labels
        names = [f"{name}_{what}" for name in objectives for what in _FIGURES]
        self.means = {name: keras.metrics.Mean(name=name) for name in names}

    def compute_loss(
        self,
        x: Mapping[str, Tensor] | None = None,
        y: Mapping[str, Tensor] | None = None,
        y_pred: Mapping[str, Tensor] | None = None,
        sample_weight: Mapping[str, Tensor] | None = None,
        training: bool = True,
    ) -> Tensor:
        """The sum of all losses, a float32 scalar; updates the means on the way."""
        total = 0.0
        for name, objective in self.objectives.items():
            labels, logits, weights = y[name], y_pred[name], sample_weight[name]
            costs = objective(labels, logits, weights)
            for what, values in zip(_FIGURES, costs, strict=False):
                if values is not None:
                    self.means[f"{name}_{what}"].update_state(values, costs.weights)
            loss = ops.sum(costs.losses * costs.weights)
            total = total + loss / self._asked(name, logits, costs.weights)
        return fast.share_of_replica(total)

    def _asked(self, name: str, logits: Tensor, weights: Tensor) -> Tensor:
        """How many labels of an output a batch has, or is expected to have."""
        expected = self.expected_labels[name]
        if expected is None:
            return ops.maximum(ops.sum(weights), 1.0)
        return ops.cast(ops.shape(logits)[0], "float32") * expected

    def compute_metrics(
        self,
        x: Mapping[str, Tensor],
        y: Mapping[str, Tensor],
        y_pred: Mapping[str, Tensor],
        sample_weight: Mapping[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """The means so far, on this device."""
        results = super().compute_metrics(x, y, y_pred, sample_weight)
        return fast.results_of_replica(results)

    def _maybe_symbolic_build(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        """Nothing: it is built.

        Under a TensorFlow strategy Keras would try it on the mean of the devices' first
        batches, which there is none of over several hosts (keras issue 20585).
        """


def cross_entropies(labels: Tensor, logits: Tensor, weights: Tensor) -> Costs:
    """The objective of classes: labels int ``[…]``, logits float ``[…, C]``."""
    losses, right = fast.cross_entropy(
        ops.reshape(logits, (-1, logits.shape[-1])), ops.reshape(labels, (-1,))
    )
    return Costs(losses, right, ops.reshape(weights, (-1,)))


def build_pretraining_model(
    bert: Bert, *, expected_predictions: float | None = None
) -> TrainingModel:
    """Put the heads on an encoder and leave out what they do not read.

    The last layer is computed only at [CLS] and at the masked positions: same loss,
    same gradients, less work.

    Args:
        bert: with the heads ``masked_lm`` and, unless there is no such objective,
            ``next_sentence``; the model shares their weights.
        expected_predictions: masked tokens of an average row, which the loss is
            divided by, so that accumulated batches are exact. By default it is divided
            by those of each batch, as in the original.

    Returns:
        A functional model. Inputs: ``token_ids``, ``segment_ids``, int32 ``[B, T]``;
        ``padding_mask``, bool ``[B, T]``; ``mask_positions``, int32 ``[B, M]``.
        Outputs: ``masked_lm``, float ``[B, M, V]``, and ``next_sentence``, float
        ``[B, 2]``, logits. Labels: ``masked_lm``, int32 ``[B, M]``, the hidden ids;
        ``next_sentence``, int32 ``[B]``, 0 = follows, 1 = does not. Weights: float32,
        of the shapes of the labels.

    Raises:
        KeyError: there is no ``masked_lm`` head.

    Example:
        >>> bert = kbert.new_bert(config, heads=("masked_lm", "next_sentence"))
        >>> model = kbert.build_pretraining_model(bert)
        >>> model.compile(kbert.AdamW(1e-4), jit_compile=False)
        >>> masking = kbert.MaskingSettings()
        >>> batches = kbert.training_dataset(
        ...     data, length=128, batch_size=64, masking=masking, seed=1)
        >>> model.fit(batches, steps_per_epoch=1000)
    """
    inputs = encoder_inputs()
    positions = keras.Input((None,), dtype="int32", name="mask_positions")
    inputs["mask_positions"] = positions
    # [CLS] first: the pooler reads the first vector that it is given.
    wanted = ops.concatenate([ops.zeros_like(positions[:, :1]), positions], axis=1)
    vectors = last_vectors(bert, inputs, wanted)  # [B, 1 + M, H]

    outputs = {"masked_lm": bert.heads["masked_lm"](vectors[:, 1:])}
    if "next_sentence" in bert.heads:
        pooled = bert.encoder.get_layer("pooler")(vectors)
        outputs["next_sentence"] = bert.heads["next_sentence"](pooled)
    model = TrainingModel(inputs, outputs, name="pretraining")
    model.know(
        dict.fromkeys(outputs, cross_entropies),
        {"masked_lm": expected_predictions, "next_sentence": 1.0},
    )
    return model


def encoder_inputs() -> dict[str, Tensor]:
    """Placeholders of what ``kbert.Tokenizer`` gives, by name."""
    return {
        name: keras.Input((None,), dtype=kind, name=name)
        for name, kind in INPUTS.items()
    }


def last_vectors(
    bert: Bert, inputs: Mapping[str, Tensor], positions: Tensor | None = None
) -> Tensor:
    """The vectors of the last layer, only where they are asked for.

    Args:
        bert: the model.
        inputs: of its encoder.
        positions: int32 ``[B, P]``, places in each row; by default all, and P = T.

    Returns:
        float ``[B, P, H]``.
    """
    encoder, mask = bert.encoder, inputs["padding_mask"]
    x = encoder.get_layer("embeddings")(inputs["token_ids"], inputs["segment_ids"])
    for number in range(1, bert.config.num_layers):
        x = encoder.get_layer(f"layer_{number}")(x, mask)
    last = encoder.get_layer(f"layer_{bert.config.num_layers}")
    return last(x, mask) if positions is None else last(x, mask, positions)
