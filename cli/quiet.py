"""TensorFlow's start-up talk → nowhere."""

import contextlib
import os
import sys
from collections.abc import Iterator


def import_tensorflow() -> None:
    """Import TensorFlow, and drop what its C++ part prints meanwhile.

    It heeds TF_CPP_MIN_LOG_LEVEL (see main.py) only after it has printed a few lines.
    Call this first in a command that needs TensorFlow. An ``ImportError`` gets through.
    """
    if "tensorflow" in sys.modules:
        return
    with _standard_error_dropped():
        import tensorflow as tf
    # It warns of models that are built one after the other, as if they were one.
    tf.get_logger().setLevel("ERROR")


@contextlib.contextmanager
def _standard_error_dropped() -> Iterator[None]:
    """Drop what goes to descriptor 2; C++ does not know ``sys.stderr``."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
