"""The only decompressor: piece by piece, up to a limit, whatever a header claims.

zstd can expand 30,000-fold, so a file of a megabyte can fill memory or a disk.
"""

import bz2
import shutil
from collections.abc import Callable, Iterator
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import Any

import lz4.frame
import zstandard

from robot_vision.core.errors import ForeignFileError
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS, InputLimits

COMPRESSIONS = ("", "zstd", "lz4", "bz2")
# A short recording of a covered camera is all zeros and compresses to almost nothing.
CHUNKS_ALWAYS = 16
_PIECE_BYTES = 1 << 20
# What zstd needs beside its output; `zstd --ultra --long` asks for more.
_MOST_WINDOW_BYTES = 1 << 27
# pbzip2 writes one for every 900 kB; each that ends copies the rest of a piece.
_MOST_STREAMS = 1000
# Disk space to keep free: less on a small disk, such as a container's /tmp.
_DISK_RESERVE_BYTES, _DISK_RESERVE = 1 << 30, 0.1
# What the libraries raise on damaged bytes.
_DAMAGE = (zstandard.ZstdError, RuntimeError, OSError, EOFError, ValueError)


class Unpacker:
    """Unpacks the parts of a recording of `packed_bytes` and counts their total size."""

    def __init__(self, packed_bytes: int, limits: InputLimits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        least_bytes = CHUNKS_ALWAYS * limits.chunk_bytes
        self._left_bytes = max(least_bytes, round(packed_bytes * limits.growth))

    def unpack(self, data: bytes, compression: str, *, most_bytes: int | None = None) -> bytes:
        """A truncated stream yields what is there.

        Raises `ForeignFileError` if `data` is damaged, or unpacks to more than the limits allow or
        than `most_bytes`, the size that its file states.
        """
        if compression == "":
            return data
        out = bytearray()
        limit = min(self.limits.chunk_bytes, self._left_bytes)
        limit = limit if most_bytes is None else min(limit, most_bytes)
        for piece in _pieces(BytesIO(data), compression):
            out += piece
            if len(out) > limit:
                self.spend(len(out))
                raise ForeignFileError(
                    f"{len(data)} bytes of {compression} unpack to more than {limit} "
                    "(limits.chunk_mb, limits.growth, or the size that the file states)"
                )
        self.spend(len(out))
        return bytes(out)

    def unpack_file(self, packed: Path, target: Path) -> None:
        """Write the content of a zstd file to `target`, as far as it can be read.

        Raises `ForeignFileError` if it is damaged, or more than limits or the disk allow.
        """
        room_bytes = _room_bytes(target.parent)
        grown_bytes = round(packed.stat().st_size * self.limits.growth)
        limit = min(
            max(self.limits.chunk_bytes, grown_bytes),
            self._left_bytes,
            self.limits.file_bytes,
        )
        written = 0
        with packed.open("rb") as file, target.open("wb") as plain:
            for piece in _pieces(file, "zstd"):
                written += len(piece)
                if written > limit:
                    raise ForeignFileError(
                        f"{packed.name} unpacks to more than {limit} bytes (limits.file_gb or "
                        "limits.growth)"
                    )
                if written > room_bytes:
                    raise ForeignFileError(
                        f"the disk has no room: {packed.name} unpacks to more than {room_bytes} "
                        f"bytes, the most {target.parent} can take; free some space, or set "
                        "TMPDIR to a folder on a larger disk"
                    )
                plain.write(piece)
        self.spend(written)

    def spend(self, count: int) -> None:
        """Count bytes that were read; raises `ForeignFileError` when nothing is left."""
        self._left_bytes = max(self._left_bytes - count, 0)
        if self._left_bytes == 0:
            raise ForeignFileError(
                f"the recording unpacks to more than {self.limits.growth:g} times its size "
                "(limits.growth)"
            )


def _room_bytes(folder: Path) -> int:
    """How many bytes may be written to the disk of `folder`."""
    disk = shutil.disk_usage(folder)
    reserve_bytes = min(_DISK_RESERVE_BYTES, round(_DISK_RESERVE * disk.total))
    return max(disk.free - reserve_bytes, 0)


def _pieces(packed: BufferedIOBase, compression: str) -> Iterator[bytes]:
    """The content of a stream, in pieces of bounded size."""
    try:
        if compression == "zstd":
            decompressor = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW_BYTES)
            with decompressor.stream_reader(packed) as stream:  # pyright: ignore[reportArgumentType]
                while piece := stream.read(_PIECE_BYTES):
                    yield piece
        elif compression == "lz4":
            yield from _by_calls(packed, lz4.frame.LZ4FrameDecompressor)
        elif compression == "bz2":
            yield from _by_calls(packed, bz2.BZ2Decompressor)
        else:
            raise ForeignFileError(
                f"compression {compression!r}; expected one of {', '.join(COMPRESSIONS[1:])}, none"
            )
    except _DAMAGE as error:
        if isinstance(error, ForeignFileError):
            raise
        raise ForeignFileError(f"{compression} is damaged: {error}") from error


def _by_calls(packed: BufferedIOBase, new: Callable[[], Any]) -> Iterator[bytes]:
    """Consecutive streams, each read by a new decompressor that takes `max_length`."""
    left = b""
    for _ in range(_MOST_STREAMS):
        decompressor = new()
        while not decompressor.eof:
            fresh = (left or packed.read(_PIECE_BYTES)) if decompressor.needs_input else b""
            if decompressor.needs_input and not fresh:
                return
            left = b""
            yield decompressor.decompress(fresh, _PIECE_BYTES)
        left = decompressor.unused_data or b""
    if left or packed.read(1):
        raise ValueError(f"more than {_MOST_STREAMS} streams, one after the other")
