"""Pretraining: shards of records → batches with fresh masks → a trained model."""

from .dataset import evaluation_dataset, training_dataset
from .run import pretrain
from .settings import Phase, PretrainingSettings

__all__ = [
    "Phase",
    "PretrainingSettings",
    "evaluation_dataset",
    "pretrain",
    "training_dataset",
]
