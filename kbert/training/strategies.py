"""The name of a strategy → devices and hosts that share the work of a run."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol

import keras
import numpy as np

from ..errors import ConfigError, Stopped, TrainingError

Strategy = Literal["none", "mirrored", "multi-worker", "tpu", "data-parallel"]

_BACKENDS = {
    "mirrored": "tensorflow",
    "multi-worker": "tensorflow",
    "tpu": "tensorflow",
    "data-parallel": "jax",
}
_EARLY = "Say so first thing in a new process, before TensorFlow or JAX computes."
_RESUME = "Start all hosts again with --resume: they go on from the last checkpoint."


class Devices(Protocol):
    """What shares the work.

    Attributes:
        hosts: how many processes there are.
        host: which one this is, from 0.
        replicas: devices of all hosts together; each has a part of every batch.
        writes: whether this process writes files.
        compiles: whether Keras should compile the whole step with XLA.
    """

    hosts: int
    host: int
    replicas: int
    writes: bool
    compiles: bool

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Where the model and the optimizer are made and trained."""

    def distribute(self, make: Callable[[], Any]) -> Any:
        """A dataset for ``fit``; ``make`` gives the rows of this host."""

    def distribute_evaluation(self, batches: Any) -> Any:
        """A dataset for ``evaluate``; each row is seen by one device."""

    def gather(self, number: int) -> list[int]:
        """The number of each host; all hosts have to ask."""

    def naming_lost_hosts(self) -> contextlib.AbstractContextManager[None]:
        """Turn an error because another host is gone into a ``TrainingError``."""


def open_devices(strategy: Strategy, *, devices: int | None = None) -> Devices:
    """The devices that a strategy means here.

    Args:
        strategy: see ``PretrainingSettings``.
        devices: of ``mirrored`` and ``data-parallel``: how many; by default all
            accelerators. Where there is none, the CPU is made into so many.

    Raises:
        ConfigError: they are not there, the strategy is one of another backend, or the
            environment does not say which hosts there are.
    """
    backend = keras.backend.backend()
    if _BACKENDS.get(strategy, backend) != backend:
        raise ConfigError(
            f"strategy {strategy!r} on the {backend} backend of Keras",
            expected=f"KERAS_BACKEND={_BACKENDS[strategy]}",
        )
    if devices is not None and strategy not in ("mirrored", "data-parallel"):
        raise ConfigError(
            f"devices={devices} with strategy {strategy!r}",
            expected="strategy 'mirrored' or 'data-parallel'",
        )
    if backend != "tensorflow":
        _leave_gpus_to_keras()
    if strategy == "mirrored":
        return TensorFlowDevices(_mirrored(devices))
    if strategy == "multi-worker":
        host, hosts = _place_in_cluster(os.environ.get("TF_CONFIG"))
        return TensorFlowDevices(_multi_worker(), host=host, hosts=hosts)
    if strategy == "tpu":
        return TensorFlowDevices(_tpu())
    if strategy == "data-parallel":
        return JaxDevices(devices)
    return OneDevice()


def stop_together(
    check_stop: Callable[[], None], devices: Devices
) -> Callable[[], None]:
    """A function that raises ``Stopped`` on all hosts once one was asked to stop."""
    if devices.hosts == 1:
        return check_stop

    def check() -> None:
        asked: Stopped | None = None
        try:
            check_stop()
        except Stopped as error:
            asked = error
        if any(devices.gather(asked is not None)):
            raise asked or Stopped("another host was asked to stop", hint=_RESUME)

    return check


class OneDevice:
    """One device, as Keras finds it."""

    hosts, host, replicas, writes = 1, 0, 1, True

    @property
    def compiles(self) -> bool:
        """On a CPU TensorFlow's own products are faster than XLA's."""
        if keras.backend.backend() != "tensorflow":
            return True
        import tensorflow as tf

        return bool(tf.config.list_logical_devices("GPU"))

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext()

    def distribute(self, make: Callable[[], Any]) -> Any:
        return make()

    def distribute_evaluation(self, batches: Any) -> Any:
        return batches

    def gather(self, number: int) -> list[int]:
        return [int(number)]

    def naming_lost_hosts(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


class TensorFlowDevices:
    """A ``tf.distribute`` strategy: GPUs of a host, of several hosts, or TPU cores.

    Args:
        strategy: of TensorFlow.
        host: which one this is.
        hosts: how many there are, with equally many devices.
    """

    compiles = False  # XLA does not take the exchange between devices into a step.

    def __init__(self, strategy: Any, *, host: int = 0, hosts: int = 1) -> None:
        import tensorflow as tf

        self._strategy = strategy
        # Outside of a function of its own it would be traced anew each time.
        self._gather = tf.function(lambda values: strategy.gather(values, axis=0))
        self.host, self.hosts = host, hosts
        self.replicas = strategy.num_replicas_in_sync
        self.writes = host == 0

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        return self._strategy.scope()

    def distribute(self, make: Callable[[], Any]) -> Any:
        def split(context: Any) -> Any:
            batches = make()
            return _split(batches, self.replicas // self.hosts)

        return self._strategy.distribute_datasets_from_function(split)

    def distribute_evaluation(self, batches: Any) -> Any:
        # All hosts read all of it; each one computes with its share of each batch.
        def split(context: Any) -> Any:
            return _split(batches, self.replicas).shard(self.hosts, self.host)

        return self._strategy.distribute_datasets_from_function(split)

    def gather(self, number: int) -> list[int]:
        import tensorflow as tf

        values = self._strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant([number], tf.int64)
        )
        every = self._gather(values).numpy()
        return every[:: self.replicas // self.hosts].tolist()

    @contextlib.contextmanager
    def naming_lost_hosts(self) -> Iterator[None]:
        import tensorflow as tf

        try:
            yield
        except (
            tf.errors.UnavailableError,
            tf.errors.AbortedError,
            tf.errors.CancelledError,
            tf.errors.DeadlineExceededError,
            tf.errors.FailedPreconditionError,
            tf.errors.InternalError,
        ) as error:
            if self.hosts == 1:
                raise
            raise _host_is_gone(error) from error


class JaxDevices:
    """``keras.distribution.DataParallel``: all devices that JAX sees, on all hosts.

    Args:
        count: take so many of this host's devices.
    """

    compiles = True

    def __init__(self, count: int | None) -> None:
        import jax

        if "KERAS_DISTRIBUTION_JOB_ADDRESSES" in os.environ:
            keras.distribution.initialize()
        elif count is not None:
            _make_jax_cpus(count)
        names = keras.distribution.list_devices()[:count]
        _check_found(len(names), count)
        self.host, self.hosts = jax.process_index(), jax.process_count()
        self.replicas, self.writes = len(names), self.host == 0
        self._distribution = keras.distribution.DataParallel(
            devices=names, auto_shard_dataset=False
        )

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        return self._distribution.scope()

    def distribute(self, make: Callable[[], Any]) -> Any:
        return make()

    def distribute_evaluation(self, batches: Any) -> Any:
        return _split(batches, self.hosts).shard(self.hosts, self.host)

    def gather(self, number: int) -> list[int]:
        from jax.experimental import multihost_utils

        every = multihost_utils.process_allgather(np.asarray(number))
        return np.atleast_1d(every).tolist()

    @contextlib.contextmanager
    def naming_lost_hosts(self) -> Iterator[None]:
        import jax

        try:
            yield
        except jax.errors.JaxRuntimeError as error:
            own = str(error).startswith(("RESOURCE_EXHAUSTED", "INVALID_ARGUMENT"))
            if self.hosts == 1 or own:
                raise
            raise _host_is_gone(error) from error


def _host_is_gone(error: Exception) -> TrainingError:
    reason = f"{type(error).__name__}: {error}".partition("\n")[0][:80]
    return TrainingError(f"another host is gone ({reason})", hint=_RESUME)


def _split(batches: Any, parts: int) -> Any:
    """The same rows, in batches that are so many times smaller."""
    rows = batches.element_spec[0]["token_ids"].shape[0]
    return batches.rebatch(rows // parts, drop_remainder=True)


def _check_found(found: int, wanted: int | None) -> None:
    if wanted is not None and found != wanted:
        raise ConfigError(
            f"devices={wanted}", expected=f"at most {found}, which are here"
        )


def _mirrored(count: int | None) -> Any:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")[:count]
    if gpus:
        _check_found(len(gpus), count)
        names = [f"GPU:{number}" for number in range(len(gpus))]
        return tf.distribute.MirroredStrategy(names)
    if count is None:
        raise ConfigError(
            "strategy 'mirrored' without a GPU",
            hint="--devices 2 (devices=2) makes two devices of the CPU.",
        )
    _make_tensorflow_cpus(count)
    return tf.distribute.MirroredStrategy([f"CPU:{one}" for one in range(count)])


def _leave_gpus_to_keras() -> None:
    """TensorFlow, which only prepares the batches, would take all of their memory."""
    import tensorflow as tf

    # It cannot be told so any more once it has begun.
    with contextlib.suppress(RuntimeError):
        tf.config.set_visible_devices([], "GPU")


def _make_tensorflow_cpus(count: int) -> None:
    import tensorflow as tf

    (cpu, *_) = tf.config.list_physical_devices("CPU")
    if len(tf.config.get_logical_device_configuration(cpu) or [None]) == count:
        return
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )
    except RuntimeError as error:
        raise ConfigError(f"devices={count} comes too late", hint=_EARLY) from error


def _make_jax_cpus(count: int) -> None:
    import jax

    # It counts only where JAX has no accelerator.
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", count)


def _multi_worker() -> Any:
    import tensorflow as tf

    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise ConfigError(
            "strategy 'multi-worker' comes too late", hint=_EARLY
        ) from error
    except tf.errors.OpError as error:
        raise TrainingError(
            f"the hosts of TF_CONFIG do not come together: {error.message}",
            hint="Each host must reach the address of each other one, and listen on "
            "its own.",
        ) from error


def _place_in_cluster(text: str | None) -> tuple[int, int]:
    """Which host this is, and of how many, from ``TF_CONFIG``."""
    try:
        config = json.loads(text or "")
        cluster, task = config["cluster"], config["task"]
        addresses = [*cluster.get("chief", []), *cluster["worker"]]
        index = {"chief": 0, "worker": len(cluster.get("chief", []))}[task["type"]]
        host = index + int(task["index"])
        known = set(cluster) <= {"chief", "worker"}
        if not (known and 0 <= host < len(addresses)):
            raise ValueError(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"TF_CONFIG={text}" if text else "TF_CONFIG is not set",
            expected='{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
            '"task": {"type": "worker", "index": 0}}, with another index on each host',
        ) from error
    return host, len(addresses)


def _tpu() -> Any:
    import tensorflow as tf

    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise ConfigError("strategy 'tpu' finds no TPU here") from error
    return tf.distribute.TPUStrategy(resolver)
