"""The lines of ``log.jsonl``: what a run measured, step by step, and nothing else.

No times stand in it: a resumed run ends with the same bytes as one that never stopped.
"""

import json
from pathlib import Path
from typing import Any

from .. import io

LOG = "log.jsonl"


def read_log(run: Path) -> list[dict[str, Any]]:
    """Its lines, oldest first, up to one that a crash cut off."""
    path = run / LOG
    if not path.is_file():
        return []
    lines = []
    for line in path.read_text("utf-8", errors="replace").splitlines():
        try:
            figures = json.loads(line)
        except ValueError:
            break
        if not (isinstance(figures, dict) and type(figures.get("step")) is int):
            break
        lines.append(figures)
    return lines


def rewind_log(run: Path, *, step: int) -> list[dict[str, Any]]:
    """Forget what was measured after ``step``; the lines that stay."""
    kept = [line for line in read_log(run) if line["step"] <= step]
    io.write_text(run / LOG, "".join(map(_text, kept)))
    return kept


def append_log(run: Path, line: dict[str, Any]) -> None:
    """Add a line, and wait until it is on the disk."""
    io.append_text(run / LOG, _text(line))


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line) + "\n"
