"""Columns of numbers → the bytes of ``tf.train.Example`` records, without protobuf.

A record of ours is a few hundred bytes; through protobuf's objects it takes eight times
as long. All ids are encoded at once, and a record is put together from slices.
"""

import functools
from collections.abc import Sequence

import numpy as np

_VARINT_BITS, _MORE = 7, 0x80
_INTEGERS, _FLOATS = b"\x1a", b"\x12"  # fields 3 and 2 of Feature
_FIRST, _SECOND = b"\x0a", b"\x12"  # fields 1 and 2 of everything else


class Varints:
    """Whole numbers in protobuf's variable-length encoding, to be cut into slices.

    Args:
        values: int ``[N]``, from 0 to 2**28 - 1.
    """

    def __init__(self, values: np.ndarray) -> None:
        values = values.astype(np.uint32)
        limits = 1 << np.arange(_VARINT_BITS, 4 * _VARINT_BITS, _VARINT_BITS)
        widths = np.ones(len(values), np.int8)
        for limit in limits.tolist():
            widths += values >= limit
        self._ends = np.concatenate([[0], np.cumsum(widths, dtype=np.int64)])
        content = np.zeros(self._ends[-1], np.uint8)
        for place in range(int(widths.max(initial=0))):
            chosen = np.flatnonzero(widths > place)
            part = values[chosen] >> (_VARINT_BITS * place)
            more = np.where(widths[chosen] > place + 1, _MORE, 0)
            content[self._ends[chosen] + place] = part & (_MORE - 1) | more
        self._content = content.tobytes()

    def slices(self, starts: np.ndarray, ends: np.ndarray) -> list[bytes]:
        """The bytes of ``values[start:end]`` for each start and end."""
        content = self._content
        pairs = zip(self._ends[starts].tolist(), self._ends[ends].tolist(), strict=True)
        return [content[start:end] for start, end in pairs]


@functools.lru_cache(maxsize=1 << 16)
def varint(value: int) -> bytes:
    """One whole number of at least 0."""
    content = bytearray()
    while value >= _MORE:
        content.append(value & (_MORE - 1) | _MORE)
        value >>= _VARINT_BITS
    content.append(value)
    return bytes(content)


def integers_feature(name: str, content: bytes) -> bytes:
    """One int64 feature of an Example, from the varints of its values."""
    return _feature(name, _INTEGERS, content)


def floats_feature(name: str, content: bytes) -> bytes:
    """One float feature of an Example, from the bytes of its float32 values."""
    return _feature(name, _FLOATS, content)


def example(features: Sequence[bytes]) -> bytes:
    """A whole Example; its features should be in the order of their names."""
    return _field(_FIRST, b"".join(features))


def _feature(name: str, kind: bytes, content: bytes) -> bytes:
    value = _field(kind, _field(_FIRST, content))
    entry = _field(_FIRST, name.encode("ascii")) + _field(_SECOND, value)
    return _field(_FIRST, entry)


def _field(tag: bytes, content: bytes) -> bytes:
    size = len(content)
    if size < _MORE:
        return b"%b%c%b" % (tag, size, content)
    return b"%b%b%b" % (tag, varint(size), content)
