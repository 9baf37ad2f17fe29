"""Model files of four formats ↔ ``Bert``; foreign names occur in this package only."""

from .assembly import Transfer
from .formats import FORMATS, TAKES, Format
from .transfer import convert, load, save

__all__ = ["FORMATS", "TAKES", "Format", "Transfer", "convert", "load", "save"]
