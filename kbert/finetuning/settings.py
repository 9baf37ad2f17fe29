"""What a fine-tuning run is made of: epochs, batches, optimizer, what it keeps."""

import dataclasses
import math
from typing import Any, Literal, get_args

from ..errors import ConfigError
from ..optimizers import Decay, LearningRate
from ..training import Strategy
from ..training.recorder import Rhythm
from ..training.settings import (
    ComputeDtype,
    OnNonfinite,
    check_choice,
    check_count,
    check_training,
)

Keep = Literal["best", "last"]
_SAVE_EVERY = 500  # steps at most that a kill can cost
_CHECKPOINTS = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class FineTuningSettings:
    """Everything that decides what a run computes; by default the paper's recipe.

    Args:
        epochs: times that every row is seen.
        batch_size: rows of an update (questions, where a question has several rows),
            over all devices and hosts.
        accumulate: batches that an update is computed in; divides ``batch_size``.
        learning_rate: the highest.
        warmup_fraction: of all steps, until it is reached.
        decay: of the learning rate afterwards, see ``kbert.LearningRate``.
        weight_decay: not applied to biases and normalisations.
        bias_correction: of AdamW; without it small sets often fail.
        clip_norm: largest norm of the gradient; 0 for any.
        dropout: while fine-tuning; by default the config's, which the model keeps.
        max_length: most tokens of a row; by default the model's. Batches are only as
            long as their rows.
        layer_decay: the learning rate of a layer, by that of the layer above; the head
            and the pooler have the full one, and the embeddings the lowest.
        freeze_layers: n > 0 leaves the embeddings and the first n layers as they are.
        reinitialize_layers: n > 0 makes the last n layers and the pooler random again.
        keep: the weights of the ``best`` evaluation, or the ``last`` ones.
        patience: evaluations in a row without a better one, until the run ends early;
            by default it does not.
        bucketed: whether rows of like lengths share a batch.
        seed: of the head, the order and dropout.
        compute_dtype: arithmetic of the products; weights stay float32.
        save_every: steps between checkpoints; by default an epoch, or 500.
        log_every: steps between lines of ``log.jsonl``; by default a hundredth of all.
        evaluate_every: steps between evaluations; by default an epoch.
        on_nonfinite: ``stop``, or ``skip`` the update, count it and go on, unless ten
            in a row are skipped.
        strategy: how devices and hosts share the work, see ``kbert pretrain --help``.
        devices: of this host, for ``mirrored`` and ``data-parallel``; by default all
            accelerators. Where there is none, the CPU is made into so many.

    Raises:
        ConfigError: a value is out of its range, or they do not fit together.

    Source:
        Devlin et al. 2019, arXiv:1810.04805, appendix A.3. Bias correction, random
        last layers: Zhang et al. 2021, arXiv:2006.05987; Mosbach et al. 2021,
        arXiv:2006.04884. Layer-wise decay: Howard and Ruder 2018, arXiv:1801.06146.
        Differs: ELECTRA's code skips one power of the decay below the head.
    """

    epochs: int = 3
    batch_size: int = 32
    accumulate: int = 1
    learning_rate: float = 5e-5
    warmup_fraction: float = 0.1
    decay: Decay = "linear"
    weight_decay: float = 0.01
    bias_correction: bool = True
    clip_norm: float = 1.0
    dropout: float | None = None
    max_length: int | None = None
    layer_decay: float = 1.0
    freeze_layers: int = 0
    reinitialize_layers: int = 0
    keep: Keep = "best"
    patience: int | None = None
    bucketed: bool = True
    seed: int = 0
    compute_dtype: ComputeDtype = "float32"
    save_every: int | None = None
    log_every: int | None = None
    evaluate_every: int | None = None
    on_nonfinite: OnNonfinite = "stop"
    strategy: Strategy = "none"
    devices: int | None = None

    def __post_init__(self) -> None:
        check_training(self)
        check_count("epochs", self.epochs)
        for name in ("max_length", "patience"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        for name in ("freeze_layers", "reinitialize_layers"):
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                expected = "a whole number from 0 up"
                raise ConfigError(f"{name}={value!r}", expected=expected)
        check_choice("keep", self.keep, get_args(Keep))
        check_choice("decay", self.decay, get_args(Decay))
        if not 0 <= self.warmup_fraction <= 1:
            raise ConfigError(
                f"warmup_fraction={self.warmup_fraction!r}", expected="0 to 1"
            )
        if not (math.isfinite(self.layer_decay) and 0 < self.layer_decay <= 1):
            raise ConfigError(
                f"layer_decay={self.layer_decay!r}", expected="above 0, at most 1"
            )

    def rhythm(self, batches: int) -> Rhythm:
        """How long the run is and how often it does what, in steps.

        Args:
            batches: of an epoch, each of ``batch_size / accumulate`` rows.
        """
        epoch = math.ceil(batches / self.accumulate)
        steps = math.ceil(self.epochs * batches / self.accumulate)
        return Rhythm(
            steps=steps,
            accumulate=self.accumulate,
            log_every=self.log_every or max(1, steps // 100),
            evaluate_every=self.evaluate_every or epoch,
            save_every=self.save_every or min(epoch, _SAVE_EVERY),
            on_nonfinite=self.on_nonfinite,
            keep=_CHECKPOINTS,
        )

    def schedule(self, steps: int) -> LearningRate:
        """The learning rate of each of so many steps."""
        return LearningRate(
            self.learning_rate,
            steps=steps,
            warmup_steps=round(self.warmup_fraction * steps),
            decay=self.decay,
        )

    def identity(self) -> dict[str, Any]:
        """What decides what a run computes: it may go on on other devices."""
        fields = self.to_dict()
        del fields["strategy"], fields["devices"]
        return fields

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return dataclasses.asdict(self)
