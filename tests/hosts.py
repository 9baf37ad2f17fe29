"""Environments in which processes of this machine are hosts of one run."""

import json
import socket
from contextlib import ExitStack


def tensorflow_hosts(count: int = 2) -> list[dict[str, str]]:
    """One for each host of ``--strategy multi-worker``."""
    cluster = {"worker": _free_addresses(count)}
    tasks = [{"type": "worker", "index": host} for host in range(count)]
    return [
        {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})} for task in tasks
    ]


def jax_hosts(count: int = 2) -> list[dict[str, str]]:
    """One for each host of ``--strategy data-parallel``."""
    (address,) = _free_addresses(1)
    return [
        {
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
            "KERAS_DISTRIBUTION_NUM_PROCESSES": str(count),
            "KERAS_DISTRIBUTION_PROCESS_ID": str(host),
        }
        for host in range(count)
    ]


def _free_addresses(count: int) -> list[str]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
