"""Ctrl-C and SIGTERM end a long job between two steps, with what was done kept."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from .errors import Stopped


@contextlib.contextmanager
def stop_between_steps(hint: str) -> Iterator[Callable[[], None]]:
    """Give a function to call between steps; it raises once a stop was asked for.

    The first signal only sets a flag, so that no write is cut in half; the second one
    ends the process at once. Inside another such block, both are told of the signal:
    what comes too late for the inner one stops the outer one. Outside the main thread
    signals are left alone.

    Args:
        hint: what is kept and how to go on later, a full sentence.

    Raises:
        Stopped: by the function given, after SIGINT or SIGTERM.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    flag = _Flag(before)
    for one in before:
        signal.signal(one, flag)

    def check() -> None:
        if flag.name:
            raise Stopped(f"stopped by {flag.name}", hint=hint)

    try:
        yield check
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class _Flag:
    """A handler that keeps the name of the signal, also for the block around."""

    def __init__(self, before: dict[signal.Signals, Any]) -> None:
        self.name = ""
        self._before = before

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.name = signal.Signals(number).name
        outer = self._before[signal.Signals(number)]
        if isinstance(outer, _Flag):
            outer(number, frame)
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_DFL)
