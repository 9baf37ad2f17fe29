"""Names of the models that come with kbert → their folders."""

from pathlib import Path

DEFAULT = "kbert-mini"
BUNDLED = (DEFAULT,)


def bundled_folder(name: str) -> Path:
    """The model directory of a bundled name."""
    return Path(__file__).parent / name
