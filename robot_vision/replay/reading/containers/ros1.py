"""Reads ROS 1 bags (format 2.0, https://wiki.ros.org/Bags/Format/2.0) front to back.

Chunks are read in file order without the index, so a bag that was never closed, or was truncated,
yields what it contains.
"""

from collections.abc import Iterator
from io import SEEK_CUR
from pathlib import Path
from struct import Struct
from struct import error as StructError
from typing import BinaryIO

from robot_vision.codecs.unpack import Unpacker
from robot_vision.replay.reading.messages import Problems, RawMessage, TopicTable

MAGIC = b"#ROSBAG V2.0\n"
OP_MESSAGE, OP_CHUNK, OP_CONNECTION = b"\x02", b"\x05", b"\x07"
_U32 = Struct("<I")
_TIME = Struct("<II")
MAX_HEADER_BYTES = 1 << 20
MAX_DAMAGED_RECORDS = 1000


class Ros1File:
    """Messages of one ROS 1 `.bag` file, in the order in which they were written."""

    is_ros1 = True

    def __init__(self, path: Path, unpacker: Unpacker) -> None:
        self._path = path
        self._unpacker = unpacker
        self.size_bytes = path.stat().st_size
        self.read_bytes = 0

    def messages(self, problems: Problems) -> Iterator[RawMessage]:
        topics = TopicTable()
        with self._path.open("rb") as file:
            if file.readline(64) != MAGIC:
                problems.add("file damaged", f"{self._path.name} does not start like a ROS 1 bag")
                return
            for header, data in self._records(file, problems):
                self.read_bytes = file.tell()
                if header.get(b"op") == OP_CHUNK:
                    yield from self._read_chunk(header, data, topics, problems)
                else:
                    yield from self._read(header, data, topics, problems)
        self.read_bytes = self.size_bytes

    def _read(
        self,
        header: dict[bytes, bytes],
        data: bytes,
        topics: TopicTable,
        problems: Problems,
    ) -> Iterator[RawMessage]:
        try:
            operation = header[b"op"]
            if operation == OP_CONNECTION:
                msgtype = _fields(data)[b"type"].decode().replace("/", "/msg/", 1)
                number = _U32.unpack(header[b"conn"])[0]
                topics.learn(number, header[b"topic"].decode(), msgtype)
            elif operation == OP_MESSAGE:
                number = _U32.unpack(header[b"conn"])[0]
                topic, msgtype = topics.get(number)
                if not topic:
                    raise KeyError(number)
                seconds, nanoseconds = _TIME.unpack(header[b"time"])
                log_ns = seconds * 1_000_000_000 + nanoseconds
                yield RawMessage(topic=topic, msgtype=msgtype, log_ns=log_ns, data=data)
        except (KeyError, StructError, ValueError) as error:
            problems.add("record damaged", f"{self._path.name}: {error!r}")

    def _read_chunk(
        self,
        header: dict[bytes, bytes],
        data: bytes,
        topics: TopicTable,
        problems: Problems,
    ) -> Iterator[RawMessage]:
        """Messages in a chunk; a chunk nested in a chunk is not valid."""
        try:
            name = header[b"compression"].decode()
            data = self._unpacker.unpack(data, "" if name == "none" else name)
            (said_bytes,) = _U32.unpack(header[b"size"])
            if len(data) != said_bytes:
                detail = f"{self._path.name}: {len(data)} bytes; the chunk says {said_bytes}"
                problems.add("chunk of another size than it says", detail)
            most_damaged = problems.count("record damaged") + MAX_DAMAGED_RECORDS
            for inner_header, inner_data in _inner_records(data):
                yield from self._read(inner_header, inner_data, topics, problems)
                if problems.count("record damaged") > most_damaged:
                    raise ValueError(f"more than {MAX_DAMAGED_RECORDS} damaged records in a chunk")
        except (KeyError, StructError, ValueError) as error:
            problems.add("record damaged", f"{self._path.name}: {error!r}")

    def _records(
        self, file: BinaryIO, problems: Problems
    ) -> Iterator[tuple[dict[bytes, bytes], bytes]]:
        most_bytes = self._unpacker.limits.chunk_bytes
        while (offset := file.tell()) < self.size_bytes:
            header = _read(file, _length(file), MAX_HEADER_BYTES)
            length = _length(file) if header is not None else None
            if header is None or length is None or file.tell() + length > self.size_bytes:
                left = self.size_bytes - offset
                detail = f"{self._path.name} at byte {offset}: the last {left} bytes are not read"
                problems.add("file cut short", detail)
                return
            data = _read(file, length, most_bytes)
            if data is None:
                file.seek(length, SEEK_CUR)
                detail = f"{self._path.name} at byte {offset}: {length} bytes"
                problems.add(f"record of more than {most_bytes} bytes", detail)
                continue
            try:
                yield _fields(header), data
            except ValueError as error:
                problems.add("record damaged", f"{self._path.name} at byte {offset}: {error}")


def _length(file: BinaryIO) -> int | None:
    head = file.read(_U32.size)
    return _U32.unpack(head)[0] if len(head) == _U32.size else None


def _read(file: BinaryIO, length: int | None, most_bytes: int) -> bytes | None:
    """Read this many bytes; None if that is too many, or more than available."""
    if length is None or length > most_bytes:
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
