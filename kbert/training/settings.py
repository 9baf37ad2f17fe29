"""The choices that every training has, and their checks."""

import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol, get_args

from ..errors import ConfigError
from .strategies import Strategy

ComputeDtype = Literal["float32", "bfloat16"]
OnNonfinite = Literal["stop", "skip"]

# Keras' name of the arithmetic.
POLICIES: dict[str, str] = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


class TrainingSettings(Protocol):
    """What the settings of pretraining and of fine-tuning have in common."""

    batch_size: int
    accumulate: int
    learning_rate: float
    weight_decay: float
    clip_norm: float
    seed: int
    compute_dtype: ComputeDtype
    save_every: int | None
    log_every: int | None
    evaluate_every: int | None
    on_nonfinite: OnNonfinite
    strategy: Strategy
    devices: int | None


def check_training(settings: TrainingSettings) -> None:
    """Raise ``ConfigError`` if a value is out of its range, or two do not fit."""
    for name in ("batch_size", "accumulate"):
        check_count(name, getattr(settings, name))
    for name in ("save_every", "log_every", "evaluate_every", "devices"):
        if getattr(settings, name) is not None:
            check_count(name, getattr(settings, name))
    check_choice("compute_dtype", settings.compute_dtype, get_args(ComputeDtype))
    check_choice("on_nonfinite", settings.on_nonfinite, get_args(OnNonfinite))
    check_choice("strategy", settings.strategy, get_args(Strategy))
    if settings.batch_size % settings.accumulate:
        raise ConfigError(
            f"accumulate={settings.accumulate} with batch_size={settings.batch_size}",
            expected="batch_size to be a multiple of accumulate",
        )
    if not 0 <= settings.seed < 1 << 32:
        raise ConfigError(f"seed={settings.seed}", expected="0 to 2^32 - 1")
    for name in ("weight_decay", "clip_norm"):
        value = getattr(settings, name)
        if not (math.isfinite(value) and value >= 0):
            raise ConfigError(f"{name}={value!r}", expected="a number from 0 up")
    if not (math.isfinite(settings.learning_rate) and settings.learning_rate > 0):
        raise ConfigError(
            f"learning_rate={settings.learning_rate!r}", expected="a number above 0"
        )


def check_division(settings: TrainingSettings, parts: int) -> None:
    """Raise ``ConfigError`` unless so many devices have equal parts of a batch."""
    if settings.batch_size // settings.accumulate % parts:
        raise ConfigError(
            f"batch_size={settings.batch_size} with accumulate={settings.accumulate} "
            f"on {parts} devices",
            expected=f"batch_size to be a multiple of {parts * settings.accumulate}",
        )


def check_count(name: str, value: Any) -> None:
    """Raise ``ConfigError`` unless that is a whole number above 0."""
    if type(value) is not int or value < 1:
        raise ConfigError(f"{name}={value!r}", expected="a whole number above 0")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raise ``ConfigError`` unless that is one of these."""
    if value not in choices:
        expected = " or ".join(repr(choice) for choice in choices)
        raise ConfigError(f"{name}={value!r}", expected=expected)
