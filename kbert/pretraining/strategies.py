"""The name of a strategy → devices and hosts that share the work of a run."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras

from .settings import Strategy


class Devices:
    """One device, as Keras finds it.

    ``hosts`` and ``host`` say how many processes there are and which one this is;
    ``writes`` whether this one writes files; ``compiles`` whether Keras should compile
    the whole step with XLA.
    """

    hosts = 1
    host = 0
    writes = True

    @property
    def compiles(self) -> bool:
        """On a CPU TensorFlow's own products are faster than XLA's."""
        if keras.backend.backend() != "tensorflow":
            return True
        import tensorflow as tf

        return bool(tf.config.list_logical_devices("GPU"))

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Where the model and the optimizer are made."""
        return contextlib.nullcontext()

    def distribute(self, make: Callable[[], Any]) -> Any:
        """A dataset for ``fit``, of what ``make`` gives on this host."""
        return make()

    def distribute_evaluation(self, batches: Any) -> Any:
        """A dataset for ``evaluate``."""
        return batches


def open_devices(strategy: Strategy) -> Devices:
    """The devices that a strategy means here."""
    return Devices()
