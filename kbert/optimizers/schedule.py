"""A step's number → its learning rate: linear warm-up, then a decay."""

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import keras
from keras import ops

from ..errors import ConfigError

Decay = Literal["linear", "polynomial", "cosine", "constant"]


@keras.saving.register_keras_serializable(package="kbert")
class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """Rise from 0 to ``peak`` in ``warmup_steps``, then fall until ``steps``.

    Args:
        peak: the highest rate.
        steps: of the whole training; the rate stays at ``end`` afterwards.
        warmup_steps: at most ``steps``.
        decay: ``linear``, ``polynomial`` (of ``power``), ``cosine`` (half a wave) or
            ``constant`` (none).
        end: the last rate.
        power: of the polynomial; 0.5 is NVIDIA's choice for LAMB.

    Raises:
        ConfigError: a value is out of its range.

    Source:
        Devlin et al. 2019, arXiv:1810.04805, appendix A.2. Differs: the original's line
        falls from step 0 on, so that its peak is cut off by the warm-up; here, as in
        transformers, it falls from the peak.
    """

    def __init__(
        self,
        peak: float,
        *,
        steps: int,
        warmup_steps: int = 0,
        decay: Decay = "linear",
        end: float = 0.0,
        power: float = 1.0,
    ) -> None:
        super().__init__()
        if decay not in get_args(Decay):
            expected = " or ".join(repr(name) for name in get_args(Decay))
            raise ConfigError(f"decay={decay!r}", expected=expected)
        if not 0 <= warmup_steps <= steps:
            raise ConfigError(
                f"warmup_steps={warmup_steps}", expected=f"0 to steps, {steps}"
            )
        if not (math.isfinite(peak) and peak > 0 and 0 <= end <= peak and power > 0):
            raise ConfigError(
                f"peak={peak}, end={end}, power={power}",
                expected="0 <= end <= peak, and peak and power above 0",
            )
        self.settings = {
            "peak": peak,
            "steps": steps,
            "warmup_steps": warmup_steps,
            "decay": decay,
            "end": end,
            "power": 1.0 if decay == "linear" else power,
        }

    def __call__(self, step: Any) -> Any:
        peak, end = self.settings["peak"], self.settings["end"]
        warmup = self.settings["warmup_steps"]
        step = ops.cast(step, "float32")
        rising = peak * step / max(warmup, 1)
        left = (step - warmup) / max(self.settings["steps"] - warmup, 1)
        falling = end + (peak - end) * self._height(ops.clip(left, 0.0, 1.0))
        return ops.where(step < warmup, rising, falling)

    def _height(self, done: Any) -> Any:
        """From 1 to 0 while ``done`` goes from 0 to 1."""
        if self.settings["decay"] == "constant":
            return ops.ones_like(done)
        if self.settings["decay"] == "cosine":
            return 0.5 * (1 + ops.cos(math.pi * done))
        return (1 - done) ** self.settings["power"]

    def get_config(self) -> dict[str, Any]:
        return dict(self.settings)


def rate_of_step(
    optimizer: keras.optimizers.Optimizer, otherwise: Callable[[], Any]
) -> Any:
    """The rate of an optimizer's next step; ``otherwise`` gives one without a schedule.

    Keras' own counts the batches whose gradients are accumulated, not the steps.
    """
    rate = optimizer._learning_rate
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return rate(optimizer.iterations)
    return otherwise()
