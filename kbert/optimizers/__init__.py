"""The optimizer and the learning rates of BERT, as plain Keras ones."""

from .adamw import AdamW
from .lamb import Lamb
from .schedule import Decay, LearningRate

__all__ = ["AdamW", "Decay", "Lamb", "LearningRate"]
