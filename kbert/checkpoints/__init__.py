"""Model files of four formats ↔ ``Bert``; foreign names occur in this package only."""

from .assembly import Transfer
from .formats import FORMATS, TAKES, Format
from .transfer import convert, load, save
from .vocabulary_growth import extend_vocabulary

__all__ = [
    "FORMATS",
    "TAKES",
    "Format",
    "Transfer",
    "convert",
    "extend_vocabulary",
    "load",
    "save",
]
