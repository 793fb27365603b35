"""Reads MCAP files front to back, intact or damaged (https://mcap.dev/spec).

One reader for both: it frames the records itself, so that after a damaged stretch it can look
for the next chunk, and a truncated last chunk still yields its first part.
"""

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from io import SEEK_CUR, SEEK_END, BytesIO
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Schema

from robot_vision.codecs.unpack import Unpacker
from robot_vision.replay.reading.messages import LONGEST_NAME, Problems, RawMessage, TopicTable

MAGIC = b"\x89MCAP0\r\n"
MAX_RECORD_BYTES = 1 << 30
MAX_SUMMARY_BYTES = 1 << 25
# As many as their 16-bit ids allow, and some duplicates.
MAX_DESCRIPTIONS = 200_000
MAX_DAMAGED_DESCRIPTIONS = 1000
MAX_DESCRIPTION_BYTES = 1 << 22
SEARCH_BYTES = 1 << 22
_FRAMING = Struct("<BQ")
_CLOSING = Struct("<BQQQI8s")
_MESSAGE_HEAD = Struct("<HIQQ")
_CHUNK_HEAD = Struct("<QQQII")


class McapFile:
    """Messages of one MCAP file, in the order in which they were written."""

    is_ros1 = False

    def __init__(self, path: Path, unpacker: Unpacker) -> None:
        self._path = path
        self._unpacker = unpacker
        chunk_bytes = unpacker.limits.chunk_bytes
        self._most_bytes = {
            Opcode.CHUNK: chunk_bytes,
            Opcode.MESSAGE: chunk_bytes,
            Opcode.SCHEMA: MAX_DESCRIPTION_BYTES,
            Opcode.CHANNEL: MAX_DESCRIPTION_BYTES,
        }
        self.size_bytes = path.stat().st_size
        self.read_bytes = 0

    def messages(self, problems: Problems) -> Iterator[RawMessage]:
        channels = _Channels(self._path.name, problems)
        with self._path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                problems.add(
                    "file damaged", f"{self._path.name} does not start with the MCAP magic"
                )
            _learn_from_summary(file, channels)
            for opcode, body, complete in self._records(file, problems):
                self.read_bytes = file.tell()
                if opcode == Opcode.CHUNK:
                    yield from channels.read(self._open_chunk(body, complete, channels.report))
                elif complete:
                    yield from channels.read([(opcode, body)])
        self.read_bytes = self.size_bytes

    def _records(self, file: BinaryIO, problems: Problems) -> Iterator[tuple[int, bytes, bool]]:
        """Opcode, body and completeness of each record of the data section."""
        while True:
            offset = file.tell()
            head = file.read(_FRAMING.size)
            if len(head) < _FRAMING.size:
                where = f"{self._path.name} ends at byte {offset} without its closing record"
                problems.add("file cut short", where)
                return
            opcode, length = _FRAMING.unpack(head)
            if opcode in (Opcode.DATA_END, Opcode.FOOTER):
                return
            # An odd opcode or a length past the end is damage, unless the file ends there.
            past_end = offset + _FRAMING.size + length > self.size_bytes
            known = Opcode.HEADER <= opcode <= Opcode.DATA_END
            if not known or length > MAX_RECORD_BYTES or (past_end and opcode != Opcode.CHUNK):
                found = _find_chunk(file, offset + 1, self.size_bytes)
                lost = (self.size_bytes if found is None else found) - offset
                where = f"{self._path.name} at byte {offset}: {lost} bytes skipped"
                problems.add("file damaged", where)
                if found is None:
                    return
                file.seek(found)
                continue
            most_bytes = self._most_bytes.get(opcode)
            if most_bytes is not None and length <= most_bytes:
                body = file.read(min(length, self.size_bytes - file.tell()))
                yield opcode, body, len(body) == length
                continue
            file.seek(length, SEEK_CUR)  # attachments, metadata and indexes are not needed
            if most_bytes is not None:
                detail = f"{self._path.name} at byte {offset}: {length} bytes"
                problems.add(f"record of more than {most_bytes} bytes", detail)

    def _open_chunk(
        self, body: bytes, complete: bool, report: Callable[[str], None]
    ) -> Iterator[tuple[int, bytes]]:
        """Records in a chunk; of a truncated one those before the cut, of an invalid one none."""
        try:
            chunk = Chunk.read(ReadDataStream(BytesIO(body)))
            said_bytes = chunk.uncompressed_size if complete else None
            data = self._unpacker.unpack(chunk.data, chunk.compression, most_bytes=said_bytes)
            if complete and len(data) != chunk.uncompressed_size:
                raise ValueError(f"{len(data)} bytes; its header says {chunk.uncompressed_size}")
        except Exception as error:  # decompressors and parsers raise their own errors on damage
            report(f"chunk of {len(body)} bytes not read: {error!r}")
            return
        if complete and chunk.uncompressed_crc and zlib.crc32(data) != chunk.uncompressed_crc:
            report(f"chunk of {len(body)} bytes not read: its checksum differs")
            return
        yield from _split_records(data, report)


def _learn_from_summary(file: BinaryIO, channels: "_Channels") -> None:
    """Read topics from the summary, so that a damaged first chunk does not hide them."""
    start = file.tell()
    size_bytes = file.seek(0, SEEK_END)
    file.seek(max(0, size_bytes - _CLOSING.size))
    closing = file.read(_CLOSING.size)
    is_closed = len(closing) == _CLOSING.size and closing.endswith(MAGIC)
    opcode, _, summary_start, *_ = _CLOSING.unpack(closing) if is_closed else (0, 0, 0)
    if opcode == Opcode.FOOTER and summary_start >= size_bytes:
        channels.report(f"the summary supposedly starts at byte {summary_start} of {size_bytes}")
    elif opcode == Opcode.FOOTER and summary_start:
        file.seek(summary_start)
        summary = file.read(MAX_SUMMARY_BYTES)
        deque(channels.read(_split_records(summary, channels.report)), maxlen=0)
    file.seek(start)


class _Channels:
    """Schemas and channels met so far; turns records into messages."""

    def __init__(self, file_name: str, problems: Problems) -> None:
        self._file_name = file_name
        self._problems = problems
        self._type_of_schema: dict[int, str] = {}
        self._channels = TopicTable()
        self._ros1_channels: set[int] = set()

    def report(self, detail: str) -> None:
        self._problems.add("chunk damaged", f"{self._file_name}: {detail}")

    def read(self, records: Iterable[tuple[int, bytes]]) -> Iterator[RawMessage]:
        """Messages among the records of a chunk or of the summary."""
        descriptions = damaged = 0
        for opcode, body in records:
            if opcode == Opcode.MESSAGE and len(body) >= _MESSAGE_HEAD.size:
                yield from self._message(body)
            elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
                descriptions += 1
                damaged += not self._learn(opcode, body)
                if descriptions > MAX_DESCRIPTIONS or damaged > MAX_DAMAGED_DESCRIPTIONS:
                    self.report(
                        f"{descriptions} descriptions of topics, {damaged} of them damaged"
                    )
                    return

    def _message(self, body: bytes) -> Iterator[RawMessage]:
        channel_id, _, log_ns, _ = _MESSAGE_HEAD.unpack_from(body)
        topic, msgtype = self._channels.get(channel_id)
        if not topic:
            detail = f"{self._file_name}: channel {channel_id} was never described"
            self._problems.add("message of an unknown topic", detail)
            return
        data = body[_MESSAGE_HEAD.size :]
        is_ros1 = channel_id in self._ros1_channels
        yield RawMessage(topic=topic, msgtype=msgtype, log_ns=log_ns, data=data, is_ros1=is_ros1)

    def _learn(self, opcode: int, body: bytes) -> bool:
        """Whether the description could be read."""
        stream = ReadDataStream(BytesIO(body))
        try:
            if opcode == Opcode.SCHEMA:
                schema = Schema.read(stream)
                self._type_of_schema[schema.id] = schema.name[: LONGEST_NAME + 1]
                return True
            channel = Channel.read(stream)
            msgtype = self._type_of_schema.get(channel.schema_id, "")
            self._channels.learn(channel.id, channel.topic, msgtype)
            if channel.message_encoding == "ros1":
                self._ros1_channels.add(channel.id)
        except Exception as error:  # damaged bytes can raise any exception in the parser
            self.report(f"description of a topic: {error!r}")
            return False
        return True


def _split_records(data: bytes, report: Callable[[str], None]) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + _FRAMING.size <= len(data):
        opcode, length = _FRAMING.unpack_from(data, position)
        position += _FRAMING.size
        if opcode == 0:
            report(f"zeros from byte {position - _FRAMING.size} on, instead of a record")
            return
        if position + length > len(data):
            report(f"the last {len(data) - position} bytes of a chunk are an incomplete record")
            return
        yield opcode, data[position : position + length]
        position += length


def _find_chunk(file: BinaryIO, start: int, size_bytes: int) -> int | None:
    """Byte offset of the next record that must be a chunk, or None."""
    head_bytes = _FRAMING.size + _CHUNK_HEAD.size + 4 + 8
    while start < size_bytes:
        file.seek(start)
        block = file.read(SEARCH_BYTES + head_bytes)
        at = block.find(Opcode.CHUNK, 0, SEARCH_BYTES)
        while at >= 0:
            if _is_chunk(block[at : at + head_bytes], size_bytes - start - at):
                return start + at
            at = block.find(Opcode.CHUNK, at + 1, SEARCH_BYTES)
        start += SEARCH_BYTES
    return None


def _is_chunk(head: bytes, available: int) -> bool:
    """Whether the redundant lengths of a chunk agree."""
    if len(head) < _FRAMING.size + _CHUNK_HEAD.size + 12:
        return False
    _, length = _FRAMING.unpack_from(head)
    start_ns, end_ns, _, _, name_bytes = _CHUNK_HEAD.unpack_from(head, _FRAMING.size)
    name = head[_FRAMING.size + _CHUNK_HEAD.size :][:name_bytes] if name_bytes <= 4 else None
    if name not in (b"", b"lz4", b"zstd") or start_ns > end_ns or length > available:
        return False
    at = _FRAMING.size + _CHUNK_HEAD.size + name_bytes
    records_bytes = int.from_bytes(head[at : at + 8], "little")
    return length == _CHUNK_HEAD.size + name_bytes + 8 + records_bytes
