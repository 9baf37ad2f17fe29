"""Products, GELU, softmax, normalisation, dropout, cross-entropy: the fast forms.

The only model code that looks at the backend. For inference it emits the exact forms
that oneDNN fuses in a frozen TensorFlow graph: flat 2-D matmul, then ``bias_add``, then
GELU. For training it makes one kernel, with its gradient, of what stands between two
products. Everywhere else it is ``keras.ops``. All forms give the same numbers to
rounding.
"""

from .attention import (
    attention_dropout,
    attention_probabilities,
    gather_rows,
    merge_heads,
    split_heads,
)
from .backend import Tensor, next_seed, results_of_replica, share_of_replica
from .cross_entropy import cross_entropy
from .dense import dense, gelu
from .dropout import dropout
from .normalization import add_and_normalize, layer_normalization

__all__ = [
    "Tensor",
    "add_and_normalize",
    "attention_dropout",
    "attention_probabilities",
    "cross_entropy",
    "dense",
    "dropout",
    "gather_rows",
    "gelu",
    "layer_normalization",
    "merge_heads",
    "next_seed",
    "results_of_replica",
    "share_of_replica",
    "split_heads",
]
