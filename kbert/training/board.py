"""The lines of a run's log → event files for TensorBoard."""

from pathlib import Path
from typing import Any


class Board:
    """Writes each figure of a line as a scalar, where TensorFlow is installed.

    Args:
        folder: of the event files.
        on: whether to write any.
    """

    def __init__(self, folder: Path, *, on: bool) -> None:
        self._writer: Any = None
        self._folder, self._on = folder, on

    def __enter__(self) -> "Board":
        if self._on:
            try:
                import tensorflow as tf
            except ImportError:
                return self
            self._writer = tf.summary.create_file_writer(str(self._folder))
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, line: dict[str, Any]) -> None:
        """Write the figures of one line at its step."""
        if self._writer is None:
            return
        import tensorflow as tf

        # tf.summary.scalar is a part of the package tensorboard, which only those who
        # look at the files need.
        kind = tf.compat.v1.SummaryMetadata()
        kind.plugin_data.plugin_name = "scalars"
        with self._writer.as_default(step=line["step"]):
            for name, value in line.items():
                if name not in ("step", "length", "epoch"):
                    tag = name.replace("evaluation_", "evaluation/")
                    tf.summary.write(tag, tf.constant(float(value)), metadata=kind)
        self._writer.flush()
