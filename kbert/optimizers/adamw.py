"""Adam with decoupled weight decay as BERT was trained with it, safe and exact."""

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from ..errors import ConfigError
from ..ops import Tensor
from .schedule import rate_of_step
from .updates import AdamStep, adam, squared_norm, sum_over_replicas, update_each

NOT_DECAYED = ("bias", "gamma", "beta")


@keras.saving.register_keras_serializable(package="kbert")
class AdamW(keras.optimizers.Optimizer):
    """BERT's optimizer: Adam, decoupled decay, clipping of the whole gradient.

    A step whose gradient is not finite changes nothing but ``nonfinite_steps``. One
    look at it is enough to know that no weight was spoilt; ``nonfinite_step`` and
    ``nonfinite_tensor`` say where the first one was since they were set to -1.

    Args:
        learning_rate: a number or a schedule.
        weight_decay: times the learning rate; not for biases and normalisations.
        beta_1, beta_2: of Adam.
        epsilon: added to the root of the velocity, after its correction.
        bias_correction: whether the first steps are scaled up. The original's
            pretraining does not; small fine-tuning sets need it.
        global_clipnorm: largest norm of all gradients together; ``None`` for any.
        gradient_accumulation_steps: batches that make one step; their mean gradient is
            the one of a batch that is as many times larger. Schedules count steps.
        rate_factors: beginnings of variables' paths, in whole names, and what the
            learning rate is multiplied by there; several that fit are multiplied.

    Source:
        google-research/bert ``optimization.py``; Loshchilov and Hutter 2019,
        arXiv:1711.05101; bias correction: Mosbach et al. 2021, arXiv:2006.04884.
        Differs: keras.optimizers.AdamW always corrects, adds epsilon before that (in
        the first hundred steps it slows down what has small gradients), and under a
        strategy clips each device's gradient before they are summed; here the sum is
        clipped.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-4,
        *,
        weight_decay: float = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        bias_correction: bool = False,
        global_clipnorm: float | None = 1.0,
        gradient_accumulation_steps: int | None = None,
        rate_factors: Mapping[str, float] | None = None,
        name: str = "adamw",
    ) -> None:
        for what, value in {"beta_1": beta_1, "beta_2": beta_2}.items():
            if not 0 <= value < 1:
                raise ConfigError(f"{what}={value!r}", expected="a number in [0, 1)")
        for what, value in (rate_factors or {}).items():
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(
                    f"rate_factors of {what}: {value!r}", expected="a number from 0 up"
                )
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            global_clipnorm=global_clipnorm,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
        )
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.bias_correction = bias_correction
        self.rate_factors = dict(rate_factors or {})

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(
            variables, ["momentum", "velocity"]
        )
        self.nonfinite_steps = self._counter("nonfinite_steps", 0)
        self.nonfinite_step = self._counter("nonfinite_step", -1)
        self.nonfinite_tensor = self._counter("nonfinite_tensor", -1)

    def _counter(self, name: str, start: int) -> keras.Variable:
        variable = keras.Variable(
            start,
            dtype="int32",
            trainable=False,
            name=name,
            aggregation="only_first_replica",
        )
        self._track_variable(variable)
        return variable

    def _backend_apply_gradients(
        self, grads: list[Tensor], trainable_variables: list[keras.Variable]
    ) -> None:
        """Replaces Keras' order, which clips and then sums over the devices."""
        grads = sum_over_replicas(grads)
        places = [self._get_variable_index(one) for one in trainable_variables]
        due, grads = self._accumulated(grads, places)
        norms = ops.stack([squared_norm(gradient) for gradient in grads])
        finite = ops.isfinite(ops.sum(norms))
        self._note(ops.logical_and(due, ops.logical_not(finite)), norms, places)
        step = self._step(ops.sum(norms), ops.logical_and(due, finite))
        for place, variable, gradient in zip(
            places, trainable_variables, grads, strict=True
        ):
            moments = self._momentums[place], self._velocities[place]
            decayed = bool(self.weight_decay) and _leaf(variable) not in NOT_DECAYED
            self._update(variable, moments, gradient, step, decayed)

    def _update(
        self,
        variable: Any,
        moments: tuple[Any, Any],
        gradient: Tensor,
        step: AdamStep,
        decayed: bool,
    ) -> None:
        betas = (self.beta_1, self.beta_2)
        if (factor := self._rate_factor(variable)) != 1.0:
            step = step._replace(
                learning_rate=step.learning_rate * factor,
                decay_rate=step.decay_rate * factor,
            )

        def change(variable: Any, gradient: Tensor, *numbers: Tensor) -> None:
            adam(
                variable,
                *moments,
                gradient,
                AdamStep(*numbers),
                betas=betas,
                decayed=decayed,
                often_left_out=bool(self.gradient_accumulation_steps),
            )

        update_each(change, [variable], [gradient], *([number] for number in step))

    def _rate_factor(self, variable: Any) -> float:
        path = f"{variable.path}/"
        factors = self.rate_factors.items()
        return math.prod(one for start, one in factors if path.startswith(f"{start}/"))

    def _step(self, squared_norm: Tensor, go: Tensor) -> AdamStep:
        rate = ops.cast(self.learning_rate, "float32")
        scale = ops.ones((), "float32")
        if self.global_clipnorm:
            norm = ops.sqrt(squared_norm)
            scale = self.global_clipnorm / ops.maximum(norm, self.global_clipnorm)
        # Both moments are corrected through two numbers, not one by one: of
        # m / first / (sqrt(v / second) + epsilon).
        first, second = self._corrections()
        root = ops.sqrt(second)
        rates = rate * root / first, rate * (self.weight_decay or 0.0)
        rate, decay, scale = (ops.where(go, one, 0.0) for one in (*rates, scale))
        return AdamStep(rate, decay, self.epsilon * root, scale, go)

    def _get_current_learning_rate(self) -> Tensor:
        return rate_of_step(self, super()._get_current_learning_rate)

    def _corrections(self) -> tuple[Tensor, Tensor]:
        """What part of their full size momentum and velocity have by now."""
        if not self.bias_correction:
            return ops.ones((), "float32"), ops.ones((), "float32")
        number = ops.cast(self.iterations, "float32") + 1
        first, second = (
            1 - ops.power(ops.cast(beta, "float32"), number)
            for beta in (self.beta_1, self.beta_2)
        )
        return first, second

    def _accumulated(
        self, grads: list[Tensor], places: list[int]
    ) -> tuple[Tensor, list[Tensor]]:
        """Whether a step is due, and the mean gradient of its batches so far."""
        count = self.gradient_accumulation_steps
        if not count:
            return ops.convert_to_tensor(True), grads
        due = ops.equal((self._iterations + 1) % count, 0)
        kept = [self._accumulated_gradients[place] for place in places]
        sums = [one + gradient for one, gradient in zip(kept, grads, strict=True)]
        # 0 times NaN is NaN: a spoilt sum is replaced, not multiplied away.
        rest = [ops.where(due, ops.zeros_like(total), total) for total in sums]
        update_each(lambda variable, value: variable.assign(value), kept, rest)
        return due, [total / count for total in sums]

    def _note(self, bad: Tensor, norms: Tensor, places: list[int]) -> None:
        """Count a step that is left out, and keep where the first one was."""
        # The first that is not finite; the largest if only their sum is too large.
        worst = ops.argmax(ops.where(ops.isfinite(norms), norms, math.inf))
        tensor = ops.take(ops.convert_to_tensor(places, "int32"), worst)
        first = ops.logical_and(bad, ops.equal(self.nonfinite_step, -1))
        self.nonfinite_steps.assign_add(ops.cast(bad, "int32"))
        for variable, value in (
            (self.nonfinite_tensor, tensor),
            (self.nonfinite_step, self.iterations),
        ):
            value = ops.cast(value, "int32")
            variable.assign(ops.where(first, value, variable.value))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        names = (
            "learning_rate",
            "weight_decay",
            "global_clipnorm",
            "gradient_accumulation_steps",
            "name",
        )
        own = ("beta_1", "beta_2", "epsilon", "bias_correction", "rate_factors")
        return {name: config[name] for name in names} | {
            name: getattr(self, name) for name in own
        }


def _leaf(variable: Any) -> str:
    return variable.path.rpartition("/")[2]
