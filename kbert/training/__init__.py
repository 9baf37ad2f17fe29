"""What pretraining and fine-tuning share: a run's folder, log, checkpoints, devices."""

from .strategies import Strategy

__all__ = ["Strategy"]
