"""What a task says of each example → one row of a TSV or JSON Lines file each."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .. import io
from ..errors import OutputError

PREDICTIONS = "predictions.tsv"
TABLE_ENDINGS = (".tsv", ".jsonl")
_BLANKS = str.maketrans("\t\r\n", "   ")  # would end the cell or the row


class Predicted(Protocol):
    """What examples of all tasks on tables have."""

    line: int
    id: str | None
    label: Any


def write_predictions(
    path: Path, records: Iterable[Mapping[str, Any]], *, separator: str = "|"
) -> None:
    """Write one row for each record, in order.

    Args:
        path: ends in ``.jsonl`` or ``.tsv``; a folder, or a name without an ending,
            gets ``predictions.tsv``. In a table, a mapping is a column for each key,
            ``name:key``, and a list is one cell.
        records: of the same keys.
        separator: between the values of a list in a table.

    Raises:
        OutputError: another ending, or the disk says no.
    """
    check_ending(path, TABLE_ENDINGS)
    if is_folder(path):
        path = own_folder(path) / PREDICTIONS
    if path.suffix == ".jsonl":
        lines = [json.dumps(record, ensure_ascii=False) for record in records]
    else:
        flat = [_flat(record) for record in records]
        lines = ["\t".join(flat[0])] if flat else []
        for record in flat:
            cells = (_cell(value, separator) for value in record.values())
            lines.append("\t".join(cells))
    io.write_text(path, "".join(f"{line}\n" for line in lines))


def known_of(example: Predicted) -> dict[str, Any]:
    """How a record begins: what is known of an example, and no more."""
    record: dict[str, Any] = {"line": example.line}
    if example.id is not None:
        record["id"] = example.id
    if example.label is not None:
        record["gold"] = example.label
    return record


def check_ending(path: Path, endings: Sequence[str]) -> None:
    """Refuse a file that predictions cannot be written to.

    Args:
        path: of a file or a folder.
        endings: those that files may have; none if any will do.

    Raises:
        OutputError: ``path`` is a file of another ending.
    """
    if endings and not is_folder(path) and path.suffix not in endings:
        raise OutputError(
            f"predictions cannot be written as {path.suffix or 'a file of no ending'}",
            where=path,
            expected=f"a name that ends in {' or '.join(endings)}, or a folder",
        )


def is_folder(path: Path) -> bool:
    """Whether predictions go into ``path``, and not to it."""
    return path.is_dir() or not (path.suffix or path.is_file())


def own_folder(path: Path) -> Path:
    """Make the folder ``path`` if it is not there yet."""
    with io.writing(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def by_label(labels: Iterable[str], values: np.ndarray) -> dict[str, float]:
    """Probabilities by the names of their classes, in six digits."""
    return {
        label: float(f"{value:.6g}")
        for label, value in zip(labels, values.tolist(), strict=True)
    }


def softmax(logits: np.ndarray) -> np.ndarray:
    """float32 ``[C]``: probabilities of classes of which one is right."""
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            cells |= {f"{name}:{key}": one for key, one in value.items()}
        else:
            cells[name] = value
    return cells


def _cell(value: Any, separator: str) -> str:
    text = separator.join(value) if isinstance(value, list | tuple) else str(value)
    return text.translate(_BLANKS)
