"""Units of work → processes that do them; they end when this one does, however it ends.

Not ``multiprocessing``: it runs the user's script again, and what it starts outlives a
killed parent. Requests and replies are JSON, each behind its length.
"""

import contextlib
import dataclasses
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, BinaryIO

from .. import errors
from ..errors import KbertError, OutputError
from .work import Job, Work

_PER_WORKER = 2  # units that wait or are being done, so that none is ever idle
_LENGTH_BYTES = 8
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from kbert.pretraining_data.workers import serve; serve()"
)
# One thread each, no GPU, and no talk of TensorFlow's.
_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
}


class Workers:
    """Does units of work side by side; a context manager.

    Args:
        job: what all units have in common.
        count: how many processes; with 1, the work is done in this one.
    """

    def __init__(self, job: Job, count: int) -> None:
        self._job, self._count = job, count
        self._local = Work(job) if count == 1 else None
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        self._started: list[_Process] = []

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._started:
            process.end()

    def run(self, unit: str, requests: Iterable[tuple[Any, ...]]) -> Iterator[int]:
        """Do the units, in any order; give what each one returns when it is done.

        Args:
            unit: a method of ``Work``.
            requests: its arguments, for each unit; read as they are needed.

        Raises:
            KbertError: what a unit raised.
        """
        if self._local is not None:
            for request in requests:
                yield getattr(self._local, unit)(*request)
            return
        pool = ThreadPoolExecutor(self._count)
        try:
            yield from _bounded(
                lambda request: pool.submit(self._call, unit, request),
                requests,
                most=_PER_WORKER * self._count,
            )
        except BaseException:
            for process in self._started:
                process.end()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _call(self, unit: str, request: tuple[Any, ...]) -> int:
        try:
            process = self._idle.get_nowait()
        except queue.Empty:
            process = _Process(self._job)
            self._started.append(process)
        reply = process.call([unit, request])
        self._idle.put(process)
        if "error" in reply:
            kind, fields = reply["error"]
            raise getattr(errors, kind)(fields.pop("what"), **fields)
        return reply["result"]


def _bounded(
    submit: Callable[[tuple[Any, ...]], "Future[int]"],
    requests: Iterable[tuple[Any, ...]],
    *,
    most: int,
) -> Iterator[int]:
    """Submit requests, so that no more than ``most`` are not done yet."""
    pending: set[Future[int]] = set()
    for request in requests:
        pending.add(submit(request))
        while len(pending) >= most:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)


class _Process:
    """One worker, from outside.

    Args:
        job: what it works on.
    """

    def __init__(self, job: Job) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 – closed by end()
        command = [sys.executable, "-I", "-c", _START, json.dumps(sys.path)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **_ENVIRONMENT},
            start_new_session=True,  # Ctrl-C is for the parent, which ends its workers
        )
        self._send(dataclasses.asdict(job))

    def call(self, request: list[Any]) -> dict[str, Any]:
        self._send(request)
        reply = _receive(self._process.stdout)
        if reply is None:
            raise self._ended()
        return reply

    def end(self) -> None:
        """Stop it now: what it has not finished has no name yet."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(OSError):
                stream.close()

    def _send(self, message: Any) -> None:
        try:
            _send(self._process.stdin, message)
        except (BrokenPipeError, ValueError) as error:
            raise self._ended() from error

    def _ended(self) -> KbertError:
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return OutputError(
                "a worker process was killed",
                hint="Is the memory full? Go on with --resume and fewer --workers.",
            )
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1] if lines else f"exit status {code}"
        return OutputError(f"a worker process ended: {reason}")


def serve() -> None:
    """Be a worker: do what standard input asks for, until it ends."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints does not get between the replies
    job = _receive(requests)
    work = Work(Job(**job))
    while (message := _receive(requests)) is not None:
        unit, request = message
        try:
            reply = {"result": getattr(work, unit)(*request)}
        except KbertError as error:
            names = ("what", "where", "line", "expected", "hint")
            fields = {name: getattr(error, name) for name in names}
            reply = {"error": [type(error).__name__, fields]}
        _send(replies, reply)


def _send(stream: BinaryIO, message: Any) -> None:
    text = json.dumps(message, ensure_ascii=False).encode("utf-8")
    stream.write(len(text).to_bytes(_LENGTH_BYTES, "little"))
    stream.write(text)
    stream.flush()


def _receive(stream: BinaryIO) -> Any:
    """The next message, or None if the other side is gone."""
    length = stream.read(_LENGTH_BYTES)
    if len(length) < _LENGTH_BYTES:
        return None
    return json.loads(stream.read(int.from_bytes(length, "little")))
