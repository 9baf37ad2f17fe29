"""Names, codes and headers of a store's files; how its manifest is sealed."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

FORMAT = 1
OFFSETS, STATUS, ITEMS, README = "offsets.npy", "status.npy", "items.jsonl", "README.md"
STATUSES = ("ok", "unk", "empty", "truncated")  # a row's code is its place here
DTYPES = {"float32": "<f4", "float16": "<f2"}
HEADER_BYTES = 128
README_TEXT = """\
Vectors, one row a unit: `features = np.concatenate([np.load(f) for f in \
sorted(glob("features-*.npy"))])` (a single shard: `np.load(f, mmap_mode="r")`).
Item i of items.jsonl owns the rows `offsets[i]:offsets[i+1]`, with `offsets = \
np.load("offsets.npy")`.
Row r is fine if `np.load("status.npy")[r]` is 0; 1 = unknown word, 2 = empty, \
3 = truncated.
"""


def shard_name(index: int, count: int | None = None) -> str:
    """The file name of a shard; without ``count`` the one it has until it is known."""
    total = "" if count is None else f"-of-{count:05d}"
    return f"features-{index:05d}{total}.npy"


def npy_header(shape: Sequence[int], dtype: str) -> bytes:
    """A .npy header (version 1.0) that is always 128 bytes long.

    NumPy's own has a length that depends on the shape, and on NumPy's version; a fixed
    one can be written before the number of rows is known, and again when it is.

    Args:
        shape: of the array; C order.
        dtype: as NumPy's ``descr``, with the byte order: ``"<f4"``.
    """
    described = {"descr": dtype, "fortran_order": False, "shape": tuple(shape)}
    start = b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    text = repr(described).encode("ascii")
    return start + text.ljust(HEADER_BYTES - len(start) - 1) + b"\n"


def npy_bytes(shape: Sequence[int], dtype: str) -> int:
    """The size of a .npy file of ours."""
    return HEADER_BYTES + math.prod(shape) * int(dtype[-1])


def seal(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with a last field that changes if any other one does."""
    return {**manifest, "sha256": manifest_digest(manifest)}


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """The SHA-256 of a manifest's fields, the seal left out."""
    fields = {name: value for name, value in manifest.items() if name != "sha256"}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
