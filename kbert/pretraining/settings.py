"""What a pretraining run is made of: phases, batches, optimizer, masks."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, get_args

from ..errors import ConfigError
from ..masking import MaskingSettings
from ..optimizers import Decay, LearningRate
from ..training import Strategy
from ..training.settings import (
    ComputeDtype,
    OnNonfinite,
    check_choice,
    check_count,
    check_training,
)

Optimizer = Literal["adamw", "lamb"]


@dataclasses.dataclass(frozen=True)
class Phase:
    """A part of the training at one sequence length.

    Args:
        length: T, tokens of a row.
        share: of all steps, in (0, 1].

    Raises:
        ConfigError: a value is out of its range.
    """

    length: int
    share: float

    def __post_init__(self) -> None:
        check_count("length", self.length)
        if not 0 < self.share <= 1:
            raise ConfigError(f"share={self.share!r}", expected="above 0, at most 1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainingSettings:
    """Everything that decides what a run computes, and how often it reports.

    Args:
        steps: weight updates in all.
        batch_size: rows of an update, over all devices and hosts.
        accumulate: batches that an update is computed in; divides ``batch_size``.
        learning_rate: the highest.
        warmup_steps: until it is reached.
        decay: of the learning rate afterwards, see ``kbert.LearningRate``.
        decay_power: of a polynomial decay.
        optimizer: ``adamw``, or Keras' ``lamb`` for very large batches.
        weight_decay: not applied to biases and normalisations.
        bias_correction: of AdamW; the original has none.
        clip_norm: largest norm of the gradient; 0 for any.
        dropout: while pretraining; by default the config's, which the model keeps.
        phases: lengths and their shares of the steps, in order; by default each length
            of the data: one, or 90 % at the first and 10 % at the second.
        masking: what is masked; the default where the records hold their masks.
        seed: of weights, order, masks and dropout.
        compute_dtype: arithmetic of the products; weights stay float32.
        save_every: steps between checkpoints; by default a tenth of all.
        log_every: steps between lines of ``log.jsonl``; by default a hundredth.
        evaluate_every: steps between evaluations; by default as ``save_every``.
        on_nonfinite: ``stop``, or ``skip`` the update, count it and go on, unless ten
            in a row are skipped.
        strategy: how devices and hosts share the work, see ``kbert pretrain --help``.
            Each of them has an equal part of every batch; with ``lamb`` each one
            clips the gradient of its part.
        devices: of this host, for ``mirrored`` and ``data-parallel``; by default all
            accelerators. Where there is none, the CPU is made into so many.
        streams: parts that the data is read in, see ``kbert.training_dataset``; by
            default the number of hosts.

    Raises:
        ConfigError: a value is out of its range, or they do not fit together.
    """

    steps: int
    batch_size: int = 256
    accumulate: int = 1
    learning_rate: float = 1e-4
    warmup_steps: int = 0
    decay: Decay = "linear"
    decay_power: float = 0.5
    optimizer: Optimizer = "adamw"
    weight_decay: float = 0.01
    bias_correction: bool = False
    clip_norm: float = 1.0
    dropout: float | None = None
    phases: tuple[Phase, ...] = ()
    masking: MaskingSettings = MaskingSettings()
    seed: int = 0
    compute_dtype: ComputeDtype = "float32"
    save_every: int | None = None
    log_every: int | None = None
    evaluate_every: int | None = None
    on_nonfinite: OnNonfinite = "stop"
    strategy: Strategy = "none"
    devices: int | None = None
    streams: int | None = None

    def __post_init__(self) -> None:
        check_training(self)
        check_count("steps", self.steps)
        if self.streams is not None:
            check_count("streams", self.streams)
        check_choice("optimizer", self.optimizer, get_args(Optimizer))
        if self.optimizer == "lamb" and self.on_nonfinite == "skip":
            raise ConfigError(
                "on_nonfinite='skip' with optimizer='lamb'", expected="'adamw'"
            )
        self.schedule()

    def resolve(self, lengths: Sequence[int], *, hosts: int) -> "PretrainingSettings":
        """Fill in what was left open, for data of these lengths.

        Raises:
            ConfigError: the phases do not fit the data, or the streams the batches.
        """
        streams, batch = self.streams or hosts, self.batch_size // self.accumulate
        if streams % hosts or batch % streams:
            raise ConfigError(
                f"streams={streams} on {hosts} hosts with {batch} rows at once",
                expected="a multiple of the hosts that divides the rows",
            )
        tenth = max(1, self.steps // 10)
        save_every = self.save_every or tenth
        return dataclasses.replace(
            self,
            phases=self.phases or _default_phases(lengths),
            save_every=save_every,
            log_every=self.log_every or max(1, self.steps // 100),
            evaluate_every=self.evaluate_every or save_every,
            streams=streams,
        )

    def schedule(self) -> LearningRate:
        """The learning rate of each step."""
        return LearningRate(
            self.learning_rate,
            steps=self.steps,
            warmup_steps=self.warmup_steps,
            decay=self.decay,
            power=self.decay_power,
        )

    def spans(self) -> list[tuple[Phase, int, int]]:
        """Each phase with its first step and the one after its last, from 0."""
        total = sum(phase.share for phase in self.phases)
        spans, start, share = [], 0, 0.0
        for phase in self.phases:
            share += phase.share
            end = round(self.steps * share / total)
            spans.append((phase, start, end))
            start = end
        return spans

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return dataclasses.asdict(self)


def parse_phase(text: str) -> Phase:
    """Read ``128:0.9``.

    Raises:
        ConfigError: that is none.
    """
    length, colon, share = text.partition(":")
    try:
        return Phase(int(length), float(share) if colon else 1.0)
    except ValueError:
        raise ConfigError(
            f"phase {text!r}",
            expected="a length and its share of the steps, as in 128:0.9",
        ) from None


def _default_phases(lengths: Sequence[int]) -> tuple[Phase, ...]:
    if len(lengths) == 1:
        return (Phase(lengths[0], 1.0),)
    if len(lengths) == 2:
        first, second = sorted(lengths)
        return Phase(first, 0.9), Phase(second, 0.1)
    raise ConfigError(
        f"data of {len(lengths)} lengths",
        expected="phases that say which are used",
        hint="For instance --phase 128:0.9 --phase 512:0.1.",
    )
