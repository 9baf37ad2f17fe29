"""Some consecutive items with their vectors: what is written at once, and read."""

import dataclasses
from typing import Any

import numpy as np

from ..errors import InputError
from .layout import STATUSES


@dataclasses.dataclass(frozen=True)
class FeatureChunk:
    """The vectors of some consecutive items, in order.

    Args:
        features: float32 or float16 ``[rows, dim]`` or ``[rows, layers, dim]``.
        rows_per_item: int64 ``[items]``, how many rows each item owns; may be 0.
        status: uint8 ``[rows]``, places in ``STATUSES``.
        records: one dict an item, as JSON takes it, for ``items.jsonl``.
    """

    features: np.ndarray
    rows_per_item: np.ndarray
    status: np.ndarray
    records: list[dict[str, Any]]

    def check(self, row_shape: tuple[int, ...], dtype: str) -> None:
        """Raise ``InputError`` unless the parts fit one another and the store."""
        rows, shape = len(self.status), self.features.shape
        if shape != (rows, *row_shape) or self.features.dtype.name != dtype:
            raise InputError(
                f"features are {self.features.dtype.name} {list(shape)}",
                expected=f"{dtype} {[rows, *row_shape]}",
            )
        items = len(self.rows_per_item)
        if items != len(self.records):
            raise InputError(f"{len(self.records)} records for {items} items")
        if np.any(self.rows_per_item < 0) or self.rows_per_item.sum() != rows:
            raise InputError(
                f"rows_per_item adds up to {self.rows_per_item.sum()}",
                expected=f"{rows} rows, and no negative number",
            )
        if self.status.dtype != np.uint8:
            raise InputError(f"status is {self.status.dtype.name}", expected="uint8")
        if rows and self.status.max() >= len(STATUSES):
            raise InputError(f"status {self.status.max()}", expected="0, 1, 2 or 3")
        self._check_finite()

    def _check_finite(self) -> None:
        finite = np.isfinite(self.features).reshape(len(self.status), -1).all(axis=1)
        if finite.all():
            return
        row = int(np.argmin(finite))
        item = int(np.searchsorted(np.cumsum(self.rows_per_item), row, side="right"))
        raise InputError(
            f"a vector that is not finite, for {str(self.records[item]):.80}",
            hint="float16 ends at 65504: store float32, or check the model.",
        )
