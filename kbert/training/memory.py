"""An error because a device's memory is full → one that says what to do."""

import contextlib
from collections.abc import Iterator

import keras

from ..errors import TrainingError

_JAX_CODE = "RESOURCE_EXHAUSTED"


@contextlib.contextmanager
def naming_full_memory() -> Iterator[None]:
    """Turn the backend's error inside the block into a ``TrainingError``.

    Raises:
        TrainingError: a device has no memory for a tensor; other errors get through.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        full: type[Exception] = tf.errors.ResourceExhaustedError
    else:
        import jax

        full = jax.errors.JaxRuntimeError
    try:
        yield
    except full as error:
        if keras.backend.backend() == "jax" and _JAX_CODE not in str(error):
            raise
        raise TrainingError(
            "the memory of a device is full",
            hint="Try --accumulate 2 or more, which computes the same batch in parts "
            "(accumulate in Python), or a smaller --batch-size.",
        ) from error
