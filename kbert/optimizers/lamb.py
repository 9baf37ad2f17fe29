"""LAMB for very large batches: Keras' own, with BERT's exclusions and our schedules."""

from typing import Any

import keras

from .adamw import NOT_DECAYED
from .schedule import rate_of_step


@keras.saving.register_keras_serializable(package="kbert")
class Lamb(keras.optimizers.Lamb):
    """``keras.optimizers.Lamb`` that decays no biases and normalisations.

    Schedules count steps, also with ``gradient_accumulation_steps``.

    Args:
        learning_rate: a number or a schedule.
        options: the others of ``keras.optimizers.Lamb``.

    Source:
        You et al. 2020, arXiv:1904.00962, in Keras. Differs: as said above.
    """

    def __init__(self, learning_rate: Any = 1e-3, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.exclude_from_weight_decay(var_names=list(NOT_DECAYED))

    def _get_current_learning_rate(self) -> Any:
        return rate_of_step(self, super()._get_current_learning_rate)
