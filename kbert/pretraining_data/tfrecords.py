"""Records ↔ TFRecord files, without TensorFlow; damage is named by record and offset.

TensorFlow's own reader never names the file, and takes a file that ends between two
records, or behind which something else stands, for a whole one.
"""

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

import google_crc32c

from ..errors import InputError

_LENGTH, _CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")
_HEAD_BYTES = _LENGTH.size + _CHECKSUM.size
FRAME_BYTES = _HEAD_BYTES + _CHECKSUM.size
_MASK = 0xA282EAD8


class Record(NamedTuple):
    """One record of a file.

    Args:
        offset: byte of the file where it begins.
        content: what was written, without its frame.
    """

    offset: int
    content: bytes


def frame(content: bytes) -> bytes:
    """A record as it stands in a file: length, checksum, content, checksum."""
    length = _LENGTH.pack(len(content))
    return b"".join((length, _checksum(length), content, _checksum(content)))


def read_records(path: str | os.PathLike[str]) -> Iterator[Record]:
    """The records of an uncompressed TFRecord file, each checked, in flat memory.

    Raises:
        InputError: the file cannot be read, or is damaged; it names the record (from 0)
            and the byte of the file where it begins.
    """
    try:
        with open(path, "rb", buffering=1 << 20) as file:
            size = os.fstat(file.fileno()).st_size
            offset = number = 0
            while head := file.read(_HEAD_BYTES):
                length = _length(head)
                if length is None or length > size - offset - FRAME_BYTES:
                    # Never read what a damaged length asks for.
                    raise _damaged(path, number, offset, head)
                content = file.read(length)
                if file.read(_CHECKSUM.size) != _checksum(content):
                    raise _damaged(path, number, offset, b"")
                yield Record(offset, content)
                number, offset = number + 1, offset + length + FRAME_BYTES
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=path) from error


def _length(head: bytes) -> int | None:
    """The length of the content that follows, or None if the head is damaged."""
    length, checksum = head[: _LENGTH.size], head[_LENGTH.size :]
    if len(head) < _HEAD_BYTES or checksum != _checksum(length):
        return None
    return _LENGTH.unpack(length)[0]


def _checksum(content: bytes) -> bytes:
    """The masked CRC-32C that the format wants."""
    crc = google_crc32c.value(content)
    return _CHECKSUM.pack(((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


def _damaged(
    path: str | os.PathLike[str], number: int, offset: int, head: bytes
) -> InputError:
    whole = not head or _length(head) is not None
    if not whole and number == 0:
        what, hint = "is no TFRecord file", "Compressed ones have to be unpacked first."
        return InputError(what, where=path, hint=hint)
    cut = head and (whole or len(head) < _HEAD_BYTES)
    what = "is cut short" if cut else "is damaged: its checksum is another one"
    return InputError(
        f"record {number}, at byte {offset}, {what}",
        where=path,
        hint="Copy the file again from its source, or make it anew.",
    )
