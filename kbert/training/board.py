"""The lines of a run's log → event files for TensorBoard."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import OutputError


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
            with self._writing():
                self._writer = tf.summary.create_file_writer(str(self._folder))
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            with self._writing():
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
        with self._writing(), self._writer.as_default(step=line["step"]):
            for name, value in line.items():
                if name not in ("step", "length", "epoch"):
                    tag = name.replace("evaluation_", "evaluation/")
                    tf.summary.write(tag, tf.constant(float(value)), metadata=kind)
            self._writer.flush()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """TensorFlow has one error for a full disk and for full memory: tell which."""
        import tensorflow as tf

        try:
            yield
        except tf.errors.OpError as error:
            raise OutputError(
                f"cannot be written: {error.message}", where=self._folder
            ) from error
