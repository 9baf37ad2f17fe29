"""A corpus → rows for pretraining, in TFRecords; and those who read them."""

from .creation import create_pretraining_data
from .reader import PretrainingData, Shard
from .settings import PretrainingDataSettings, StaticMasks

__all__ = [
    "PretrainingData",
    "PretrainingDataSettings",
    "Shard",
    "StaticMasks",
    "create_pretraining_data",
]
