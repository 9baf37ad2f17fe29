"""Commands of kbert as forks of one process, which has imported TensorFlow but not
begun to use it: each starts in a moment, with an environment of its own.

Run as a script it is that process; ``Forks`` talks to it, a line of JSON each way.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any


class Forks:
    """Starts commands and waits for them; what still runs at the end is killed.

    Args:
        backend: of Keras, which TensorFlow imports.
    """

    def __init__(self, backend: str = "tensorflow") -> None:
        self._backend = backend

    def __enter__(self) -> "Forks":
        self._process = subprocess.Popen(
            # JAX warns of every fork; here it has not begun to compute.
            [sys.executable, "-W", "ignore", __file__],
            env={**os.environ, "KERAS_BACKEND": self._backend},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._running: set[int] = set()
        return self

    def __exit__(self, *error: object) -> None:
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def start(self, arguments: list[Any], output: Path, **environment: str) -> int:
        """Its process id; what it prints is added to ``output``."""
        pid = self._ask([[str(one) for one in arguments], str(output), environment])
        self._running.add(pid)
        return pid

    def finish(self, pid: int) -> int:
        """Wait for its end; the exit code, or minus the signal that killed it."""
        code = self._ask(pid)
        self._running.remove(pid)
        return code

    def _ask(self, request: Any) -> Any:
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def start(arguments: list[str], output: str, environment: dict[str, str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    with open(output, "ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ.update(environment)
    from kbert.cli.main import main

    main(arguments)
    os._exit(0)


if __name__ == "__main__":
    from kbert.cli.quiet import import_tensorflow

    import_tensorflow()
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, list):
            answer = start(*asked)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(asked, 0)[1])
        print(json.dumps(answer), flush=True)
