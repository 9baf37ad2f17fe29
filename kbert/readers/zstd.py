"""A .zst file → its bytes, whole or an error; needs the extra [zstd]."""

import io
from typing import TYPE_CHECKING, BinaryIO

from ..errors import DependencyError

if TYPE_CHECKING:
    from zstandard import ZstdDecompressionObj

_BLOCK = 4096  # bytes read at once; of a malicious file they may become 100 MB


def open_zstd(path: str, mode: str = "rb") -> BinaryIO:
    """Open ``path`` for reading, as ``gzip.open`` does.

    Reading it raises ``EOFError`` where the file is cut short, ``OSError`` where it is
    damaged.

    Args:
        path: file name.
        mode: ``"rb"``; there is no other.

    Raises:
        DependencyError: zstandard is not installed.
    """
    try:
        import zstandard  # noqa: F401
    except ImportError as error:
        raise DependencyError(
            "a .zst file needs the package zstandard",
            where=path,
            hint="Install it with: pip install 'kbert[zstd]'.",
        ) from error
    return io.BufferedReader(_Frames(open(path, mode)), 1 << 20)


class _Frames(io.RawIOBase):
    """All frames of a file, one after the other.

    The package's own reader takes a file that ends amid a frame for a whole one.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._frame: ZstdDecompressionObj | None = None
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        while not self._ready:
            block = self._file.read(_BLOCK)
            if not block and self._frame is not None:
                raise EOFError("the file is cut short: its last frame has no end")
            if not block:
                return 0
            self._ready = memoryview(self._decompress(block))
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()

    def _decompress(self, block: bytes) -> bytes:
        import zstandard

        parts = []
        try:
            while block:
                if self._frame is None:
                    self._frame = zstandard.ZstdDecompressor().decompressobj()
                parts.append(self._frame.decompress(block))
                block = self._frame.unused_data
                if self._frame.eof:
                    self._frame = None
        except zstandard.ZstdError as error:
            raise OSError(str(error)) from error
        return b"".join(parts)
