"""Masked tokens and next sentence: a BERT → the Keras model that pretrains it."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from . import ops as fast
from .model import Bert
from .ops import Tensor


@keras.saving.register_keras_serializable(package="kbert")
class PretrainingModel(keras.Model):
    """A functional model that knows its losses; ``build_pretraining_model`` gives one.

    Compile it with an optimizer alone, and fit it on ``(x, y, sample_weight)``:

    - x: ``token_ids``, ``segment_ids``, int32 ``[B, T]``; ``padding_mask``, bool
      ``[B, T]``; ``mask_positions``, int32 ``[B, M]``.
    - y: ``masked_lm``, int32 ``[B, M]``, the hidden ids; ``next_sentence``, int32
      ``[B]``, 0 = follows, 1 = does not (absent without that head).
    - sample_weight: float32, of the same shapes and names; 0 where nothing is asked.

    It reports ``masked_lm_loss``, ``masked_lm_accuracy``, ``next_sentence_loss`` and
    ``next_sentence_accuracy``: exact means over all that was asked, in nats.

    Source:
        Devlin et al. 2019, arXiv:1810.04805, section 3.1; google-research/bert
        ``run_pretraining.py``. Differs: the original divides the masked-token loss of a
        batch by the number of its predictions; here it is a constant, the number that
        is expected. The two are equal on average, and this one makes accumulated
        batches and several devices give exactly the gradient of the whole batch.
    """

    # Set by build_pretraining_model: a subclass of a functional model keeps the
    # constructor of keras.Model.
    expected_predictions: float = 1.0

    def _start_means(self) -> None:
        names = [
            f"{head}_{what}"
            for head in self.output_names_in_order
            for what in ("loss", "accuracy")
        ]
        self.means = {name: keras.metrics.Mean(name=name) for name in names}

    @property
    def output_names_in_order(self) -> list[str]:
        """``masked_lm``, and ``next_sentence`` where there is that head."""
        return [name for name in ("masked_lm", "next_sentence") if name in self.output]

    def compute_loss(
        self,
        x: Mapping[str, Tensor] | None = None,
        y: Mapping[str, Tensor] | None = None,
        y_pred: Mapping[str, Tensor] | None = None,
        sample_weight: Mapping[str, Tensor] | None = None,
        training: bool = True,
    ) -> Tensor:
        """The sum of both losses, a float32 scalar; updates the means on the way."""
        total = 0.0
        for name in self.output_names_in_order:
            logits = y_pred[name]
            loss, right = fast.cross_entropy(
                ops.reshape(logits, (-1, logits.shape[-1])),
                ops.reshape(y[name], (-1,)),
            )
            weights = ops.reshape(sample_weight[name], (-1,))
            for what, values in (("loss", loss), ("accuracy", right)):
                self.means[f"{name}_{what}"].update_state(values, weights)
            rows = ops.cast(ops.shape(logits)[0], "float32")
            asked = self.expected_predictions if name == "masked_lm" else 1.0
            total = total + ops.sum(loss * weights) / (rows * asked)
        return fast.share_of_replica(total)

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


def build_pretraining_model(
    bert: Bert, *, expected_predictions: float | None = None
) -> PretrainingModel:
    """Put the heads on an encoder and leave out what they do not read.

    The last layer is computed only at [CLS] and at the masked positions: same loss,
    same gradients, less work.

    Args:
        bert: with the heads ``masked_lm`` and, unless there is no such objective,
            ``next_sentence``; the model shares their weights.
        expected_predictions: masked tokens of an average text, which the loss is
            divided by. By default 15 % of the longest input.

    Returns:
        A model of the inputs that ``PretrainingModel`` names; outputs, by the names of
        the heads: logits, float ``[B, M, V]`` and ``[B, 2]``.

    Raises:
        KeyError: there is no ``masked_lm`` head.

    Example:
        >>> bert = kbert.new_bert(config, heads=("masked_lm", "next_sentence"))
        >>> model = kbert.build_pretraining_model(bert)
        >>> model.compile(kbert.AdamW(1e-4), jit_compile=False)
        >>> model.fit(kbert.training_dataset(data, length=128, batch_size=64), …)
    """
    encoder, config = bert.encoder, bert.config
    names = ("token_ids", "segment_ids", "padding_mask")
    inputs = {name: keras.Input((None,), **_like(encoder, name)) for name in names}
    positions = keras.Input((None,), dtype="int32", name="mask_positions")
    inputs["mask_positions"] = positions
    # [CLS] first: the pooler reads the first vector that it is given.
    wanted = ops.concatenate([ops.zeros_like(positions[:, :1]), positions], axis=1)

    x = encoder.get_layer("embeddings")(inputs["token_ids"], inputs["segment_ids"])
    for number in range(1, config.num_layers):
        x = encoder.get_layer(f"layer_{number}")(x, inputs["padding_mask"])
    last = encoder.get_layer(f"layer_{config.num_layers}")
    vectors = last(x, inputs["padding_mask"], wanted)  # [B, 1 + M, H]

    outputs = {"masked_lm": bert.heads["masked_lm"](vectors[:, 1:])}
    if "next_sentence" in bert.heads:
        pooled = encoder.get_layer("pooler")(vectors)
        outputs["next_sentence"] = bert.heads["next_sentence"](pooled)
    model = PretrainingModel(inputs, outputs, name="pretraining")
    if expected_predictions is None:
        expected_predictions = 0.15 * config.max_sequence_length
    model.expected_predictions = expected_predictions
    model._start_means()
    return model


def _like(encoder: keras.Model, name: str) -> dict[str, Any]:
    return {"dtype": encoder.input[name].dtype, "name": name}
