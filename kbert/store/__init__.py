"""Feature vectors on disk: written in shards that survive a kill, read with NumPy.

A store is a folder. ``features-00000-of-00002.npy`` … hold all rows in order, shape
``[rows, dim]`` or ``[rows, layers, dim]``; item ``i`` owns rows
``offsets[i]:offsets[i+1]``; ``status.npy`` has one code a row; ``items.jsonl`` has one
object an item; ``manifest.json`` has the settings, the counts and all digests.
"""

from .chunks import FeatureChunk
from .formats import EXPORT_FORMATS, check_export, export, write_jsonl
from .layout import STATUSES
from .reader import FeatureStore
from .writer import DEFAULT_SHARD_BYTES, StoreWriter

__all__ = [
    "DEFAULT_SHARD_BYTES",
    "EXPORT_FORMATS",
    "STATUSES",
    "FeatureChunk",
    "FeatureStore",
    "StoreWriter",
    "check_export",
    "export",
    "write_jsonl",
]
