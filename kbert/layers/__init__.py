"""The bricks of the encoder: dense, norm, embeddings, attention, block, pooler.

Blocks keep their vectors flat, ``[B·T, H]``, from the first product to the last one:
that is the form that fuses (see ``kbert.ops``).
"""

from .attention import SelfAttention
from .basic import (
    Dense,
    Dropout,
    LayerNormalization,
    ResidualNormalization,
    initializer,
)
from .embeddings import Embeddings
from .encoder_layer import EncoderLayer, Pooler

__all__ = [
    "Dense",
    "Dropout",
    "Embeddings",
    "EncoderLayer",
    "LayerNormalization",
    "Pooler",
    "ResidualNormalization",
    "SelfAttention",
    "initializer",
]
