"""What the others ask of the backend: which one it is, and one kernel for many ops."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

Tensor = Any  # a tensor of whichever backend, or a symbolic KerasTensor

_SEED_STRIDE = 0x61C88647


def on_tensorflow() -> bool:
    """Whether Keras computes with TensorFlow."""
    return keras.backend.backend() == "tensorflow"


def in_cpu_graph() -> bool:
    """Whether TensorFlow is tracing a graph on a machine that has only CPUs."""
    if not on_tensorflow():
        return False
    import tensorflow as tf

    return tf.inside_function() and len(tf.config.list_logical_devices()) == len(
        tf.config.list_logical_devices("CPU")
    )


def as_tensor(value: Any) -> Tensor:
    """A variable's value; to a custom gradient a variable itself is no argument."""
    value = getattr(value, "value", value)
    if not on_tensorflow():
        return value
    import tensorflow as tf

    return tf.convert_to_tensor(value)


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of tensors into one kernel.

    TensorFlow would run its elementwise ops one by one, each a pass over memory; XLA
    makes a single pass, several times as fast. Products stay outside: there oneDNN is
    faster. Other backends compile the whole step anyway. Decorate at module level, or
    cache what is decorated: each call compiles anew.
    """
    if not on_tensorflow():
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)


def share_of_replica(loss: Tensor) -> Tensor:
    """A device's part of the mean loss: its own mean over the number of devices.

    TensorFlow's strategies sum the gradients of their devices. On JAX a loss is the
    one of the whole batch already.
    """
    if not on_tensorflow():
        return loss
    import tensorflow as tf

    return loss / tf.distribute.get_strategy().num_replicas_in_sync


def next_seed(seeds: keras.random.SeedGenerator) -> Tensor:
    """The next seed, another one on each device of a TensorFlow strategy.

    With the same one they would drop the same places of their rows. On JAX each device
    has a part of one mask.
    """
    seed = seeds.next()
    if not on_tensorflow():
        return seed
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return seed
    replica = tf.cast(context.replica_id_in_sync_group, seed.dtype)
    return seed + replica * _SEED_STRIDE


def results_of_replica(results: dict[str, Tensor]) -> dict[str, Tensor]:
    """A device's metrics in the form that ``fit`` can average over hosts.

    Over several hosts Keras averages along axis 0, which a scalar has not: its ``fit``
    fails there (keras issue 20585). A row of one number goes through.
    """
    if not on_tensorflow():
        return results
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return results
    return {name: ops.reshape(value, (1,)) for name, value in results.items()}
