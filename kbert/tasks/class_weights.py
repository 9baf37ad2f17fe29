"""The classes of the training examples → how much each class counts in the loss."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from ..errors import ConfigError

ClassWeights = Literal["balanced"] | Mapping[str, float]


def class_weights(
    classes: np.ndarray, how: ClassWeights | None, *, labels: Sequence[str]
) -> np.ndarray:
    """How much an example of each class counts.

    Args:
        classes: int ``[N]``, of the training examples.
        how: ``"balanced"`` gives every class the same sum; a mapping gives the weight
            of each class by its name, 1 to those that it does not name; None, 1 to all.
        labels: the C names.

    Returns:
        float32 ``[C]``; under ``"balanced"`` the examples have 1 on average, and a
        class without any example has 1.

    Raises:
        ConfigError: no such way, a name that is no label, or a weight that is not a
            positive number.

    Example:
        >>> class_weights(np.array([0, 0, 0, 1]), "balanced", labels=["no", "yes"])
        array([0.6666667, 2.       ], dtype=float32)

    Source:
        scikit-learn, ``compute_class_weight``. Differs: classes without an example.
    """
    weights = np.ones(len(labels), np.float32)
    if how is None:
        return weights
    if how == "balanced":
        counts = np.bincount(classes, minlength=len(labels))
        there = counts > 0
        weights[there] = len(classes) / (there.sum() * counts[there])
        return weights
    if not isinstance(how, Mapping):
        raise ConfigError(
            f"class_weights={how!r}", expected="'balanced', or a weight for each label"
        )
    for name, weight in how.items():
        if name not in labels:
            raise ConfigError(
                f"a class weight for {name!r}",
                expected=f"a label of the training data: {', '.join(labels[:20])}",
            )
        if not isinstance(weight, int | float) or not 0 < weight < float("inf"):
            raise ConfigError(
                f"class weight {weight!r} for {name!r}", expected="a number above 0"
            )
        weights[list(labels).index(name)] = weight
    return weights
