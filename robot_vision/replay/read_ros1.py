"""ROS 1 bags (format 2.0, https://wiki.ros.org/Bags/Format/2.0) read front to back.

Chunks are read in the order of the file and the index is not needed, so a bag that was never
closed, or was cut, gives what it holds.
"""

import bz2
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from struct import error as StructError
from typing import BinaryIO

import lz4.frame

from robot_vision.replay.messages import Problems, RawMessage

MAGIC = b"#ROSBAG V2.0\n"
MAX_RECORD_BYTES = 1 << 30
OP_MESSAGE, OP_CHUNK, OP_CONNECTION = 2, 5, 7
# what decompressors and parsers raise on damaged bytes
_DAMAGE = (KeyError, IndexError, StructError, OSError, EOFError, ValueError, RuntimeError)
_U32 = Struct("<I")
_TIME = Struct("<II")
_DECOMPRESS = {b"none": bytes, b"bz2": bz2.decompress, b"lz4": lz4.frame.decompress}


class Ros1File:
    """Messages of one ROS 1 `.bag` file, in the order in which they were written."""

    is_ros1 = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size_bytes = path.stat().st_size
        self.read_bytes = 0

    def messages(self, problems: Problems) -> Iterator[RawMessage]:
        topics: dict[int, tuple[str, str]] = {}
        with self._path.open("rb") as file:
            if file.readline(64) != MAGIC:
                problems.add("file damaged", f"{self._path.name} does not begin as a ROS 1 bag")
                return
            for header, data in self._records(file, problems):
                self.read_bytes = file.tell()
                yield from self._read(header, data, topics, problems)
        self.read_bytes = self.size_bytes

    def _read(
        self,
        header: dict[bytes, bytes],
        data: bytes,
        topics: dict[int, tuple[str, str]],
        problems: Problems,
    ) -> Iterator[RawMessage]:
        try:
            operation = header[b"op"][0]
            if operation == OP_CHUNK:
                data = _DECOMPRESS[header[b"compression"]](data)
                for inner_header, inner_data in _inner_records(data):
                    yield from self._read(inner_header, inner_data, topics, problems)
            elif operation == OP_CONNECTION:
                msgtype = _fields(data)[b"type"].decode().replace("/", "/msg/", 1)
                topics[_U32.unpack(header[b"conn"])[0]] = (header[b"topic"].decode(), msgtype)
            elif operation == OP_MESSAGE:
                topic, msgtype = topics[_U32.unpack(header[b"conn"])[0]]
                seconds, nanoseconds = _TIME.unpack(header[b"time"])
                log_ns = seconds * 1_000_000_000 + nanoseconds
                yield RawMessage(topic=topic, msgtype=msgtype, log_ns=log_ns, data=data)
        except (
            KeyError,
            IndexError,
            StructError,
            OSError,
            EOFError,
            ValueError,
            RuntimeError,
        ) as e:
            problems.add("record damaged", f"{self._path.name}: {e!r}")

    def _records(
        self, file: BinaryIO, problems: Problems
    ) -> Iterator[tuple[dict[bytes, bytes], bytes]]:
        while file.tell() < self.size_bytes:
            offset = file.tell()
            parts = [_read_sized(file), _read_sized(file)]
            if parts[0] is None or parts[1] is None:
                left = self.size_bytes - offset
                detail = f"{self._path.name} at byte {offset}: the last {left} bytes are not read"
                problems.add("file cut short", detail)
                return
            try:
                yield _fields(parts[0]), parts[1]
            except ValueError as error:
                problems.add("record damaged", f"{self._path.name} at byte {offset}: {error}")


def _read_sized(file: BinaryIO) -> bytes | None:
    head = file.read(_U32.size)
    if len(head) < _U32.size:
        return None
    (length,) = _U32.unpack(head)
    if length > MAX_RECORD_BYTES:
        return None
    data = file.read(length)
    return data if len(data) == length else None


def _inner_records(data: bytes) -> Iterator[tuple[dict[bytes, bytes], bytes]]:
    position = 0
    while position < len(data):
        parts = []
        for _ in range(2):
            (length,) = _U32.unpack_from(data, position)
            position += _U32.size
            if position + length > len(data):
                raise ValueError(f"a record of {length} bytes is larger than its chunk")
            parts.append(data[position : position + length])
            position += length
        yield _fields(parts[0]), parts[1]


def _fields(data: bytes) -> dict[bytes, bytes]:
    """The name=value fields of a record's header."""
    fields = {}
    position = 0
    while position < len(data):
        if position + _U32.size > len(data):
            raise ValueError("a header field is cut")
        (length,) = _U32.unpack_from(data, position)
        position += _U32.size
        name, equals, value = data[position : position + length].partition(b"=")
        if not equals:
            raise ValueError(f"a header field of {length} bytes has no name")
        fields[name] = value
        position += length
    return fields
