"""Ctrl-C and SIGTERM end a long job between two steps, with what was done kept."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from .errors import Stopped


@contextlib.contextmanager
def stop_between_steps(hint: str) -> Iterator[Callable[[], None]]:
    """Give a function to call between steps; it raises once a stop was asked for.

    The first signal only sets a flag, so that no write is cut in half; the second one
    ends the process at once. Outside the main thread signals are left alone.

    Args:
        hint: what is kept and how to go on later, a full sentence.

    Raises:
        Stopped: by the function given, after SIGINT or SIGTERM.
    """
    asked: list[str] = []

    def handle(number: int, frame: FrameType | None) -> None:
        asked.append(signal.Signals(number).name)
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_DFL)

    def check() -> None:
        if asked:
            raise Stopped(f"stopped by {asked[0]}", hint=hint)

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    before = {
        one: signal.signal(one, handle) for one in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield check
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
