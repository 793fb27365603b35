"""An MCAP file that stays consistent when the disk is full.

The `mcap` library's writer counts buffered messages, and keeps a chunk it could not write in its
summary. Here a chunk is written completely or not at all, and only then are its messages counted.
The records are the library's.
"""

import os
import zlib
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import lz4.frame
import zstandard
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Message,
    MessageIndex,
    Schema,
    Statistics,
    SummaryOffset,
)
from mcap.records import Chunk as ChunkRecord
from mcap.writer import MCAP0_MAGIC

from robot_vision.core.files.disk import DiskFullError, reserve_room, writing_to
from robot_vision.replay.writing.offered_qos import offered_qos
from robot_vision.replay.writing.ros_types import output_types

CHUNK_BYTES = 1 << 20
# Reserved on the disk for the summary: a kilobyte per chunk, and the message definitions.
_ROOM_BYTES = 512 << 10
_COMPRESS = {"lz4": lz4.frame.compress, "zstd": zstandard.compress}

Compression = Literal["lz4", "zstd"]


class McapFile:
    """Accepts messages until `close`. Raises `DiskFullError`, after which it accepts no more.

    `counts` has the readable messages in the file by topic, `lost` those that were accepted but
    could not be written.
    """

    def __init__(self, path: Path, *, compression: Compression) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.first_ns = self.last_ns = 0
        self._compression: Compression = compression
        self._schemas: dict[str, Schema] = {}
        self._channels: dict[str, Channel] = {}
        self._indices: list[ChunkIndex] = []
        self._chunk = _Chunk()
        self._bytes = 0
        self._is_open = True
        with writing_to(path), ExitStack() as opened:
            self._room = opened.enter_context(reserve_room(path.parent, size_bytes=_ROOM_BYTES))
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            opened.callback(os.close, self._file)
            self._append(MCAP0_MAGIC + _packed(Header("ros2", "robot_vision")))
            self._opened = opened.pop_all()

    @property
    def size_bytes(self) -> int:
        """Size of the file plus data waiting to be compressed into it."""
        return self._bytes + self._chunk.size_bytes

    def add(
        self, topic: str, type_name: str, *, log_ns: int, data: bytes, latched: bool = False
    ) -> None:
        """Add a serialized message; writes the chunk when it is full.

        The first message of a topic determines whether rosbag2 latches it on playback.
        """
        if not self._is_open:
            raise ValueError(f"{self.path} is closed")
        self._chunk.add(self._channel(topic, type_name, latched), log_ns, data)
        if self._chunk.size_bytes > CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write pending messages as a chunk."""
        chunk, self._chunk = self._chunk, _Chunk()
        if not chunk.indices:
            self._chunk = chunk  # it may contain definitions
            return
        written, index = chunk.written(self._compression, offset=self._bytes)
        try:
            self._append(written)
        except OSError as error:
            self.lost += chunk.counts
            raise DiskFullError(self.path, error) from error
        self._indices.append(index)
        self.first_ns = min(self.first_ns or chunk.first_ns, chunk.first_ns)
        self.last_ns = max(self.last_ns, chunk.last_ns)
        self.counts += chunk.counts

    def close(self) -> None:
        """Write pending messages and the summary; both are attempted, and the first failure is
        raised.

        Without a summary the file is complete up to its last chunk, and readers scan all of it.
        """
        if not self._is_open:
            return
        failure: DiskFullError | None = None
        try:
            self.flush()
        except DiskFullError as error:
            failure = error
        try:
            self._room.close()
            self._append(self._summary())
            os.fsync(self._file)
        except OSError as error:
            failure = failure or DiskFullError(self.path, error)
        self._is_open = False
        self._opened.close()
        if failure is not None:
            raise failure

    def _append(self, data: bytes) -> None:
        """Append all of `data` or nothing: a partial write to a full disk is undone."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, self._bytes)
            os.lseek(self._file, self._bytes, os.SEEK_SET)
            raise
        self._bytes += len(data)

    def _channel(self, topic: str, type_name: str, latched: bool) -> Channel:
        if topic not in self._channels:
            channel_id = len(self._channels) + 1
            self._channels[topic] = Channel(
                id=channel_id,
                topic=topic,
                message_encoding="cdr",
                metadata={"offered_qos_profiles": offered_qos(latched=latched)},
                schema_id=self._schema(type_name).id,
            )
        return self._defined(topic)

    def _schema(self, type_name: str) -> Schema:
        if type_name not in self._schemas:
            definition, _ = output_types().generate_msgdef(type_name, ros_version=2)
            self._schemas[type_name] = Schema(
                id=len(self._schemas) + 1,
                data=definition.encode(),
                encoding="ros2msg",
                name=type_name,
            )
        return self._schemas[type_name]

    def _defined(self, topic: str) -> Channel:
        """The topic's channel, defined in the current chunk unless a written one has it."""
        channel = self._channels[topic]
        if topic not in self.counts and topic not in self._chunk.counts:
            schema = next(s for s in self._schemas.values() if s.id == channel.schema_id)
            self._chunk.define(schema)
            self._chunk.define(channel)
        return channel

    def _summary(self) -> bytes:
        written = {channel.id: self.counts[topic] for topic, channel in self._channels.items()}
        statistics = Statistics(
            attachment_count=0,
            channel_count=len(self._channels),
            channel_message_counts=written,
            chunk_count=len(self._indices),
            message_count=self.counts.total(),
            message_end_time=self.last_ns,
            message_start_time=self.first_ns,
            metadata_count=0,
            schema_count=len(self._schemas),
        )
        end = _packed(DataEnd(0))
        start = self._bytes + len(end)
        groups: list[tuple[Opcode, list[McapRecord]]] = [
            (Opcode.SCHEMA, [*self._schemas.values()]),
            (Opcode.CHANNEL, [*self._channels.values()]),
            (Opcode.STATISTICS, [statistics]),
            (Opcode.CHUNK_INDEX, [*self._indices]),
        ]
        summary, offsets = b"", b""
        for opcode, records in groups:
            group = _packed(*records)
            offset = SummaryOffset(
                group_opcode=opcode, group_start=start + len(summary), group_length=len(group)
            )
            summary += group
            offsets += _packed(offset)
        offset_start = start + len(summary)
        footer = _packed(
            Footer(summary_start=start, summary_offset_start=offset_start, summary_crc=0)
        )
        # The sum covers the footer up to where the sum itself stands.
        crc = zlib.crc32(summary + offsets + footer[:-4])
        footer = footer[:-4] + crc.to_bytes(4, "little")
        return end + summary + offsets + footer + MCAP0_MAGIC


class _Chunk:
    """Messages to be written together."""

    def __init__(self) -> None:
        self._records = RecordBuilder()
        self.indices: dict[int, MessageIndex] = {}
        self.counts: Counter[str] = Counter()
        self.first_ns = self.last_ns = 0

    @property
    def size_bytes(self) -> int:
        return self._records.count

    def define(self, record: Schema | Channel) -> None:
        record.write(self._records)

    def add(self, channel: Channel, log_ns: int, data: bytes) -> None:
        index = self.indices.setdefault(channel.id, MessageIndex(channel.id, []))
        index.records.append((log_ns, self._records.count))
        self.first_ns = min(self.first_ns, log_ns) if self.counts else log_ns
        self.last_ns = max(self.last_ns, log_ns)
        self.counts[channel.topic] += 1
        Message(
            channel_id=channel.id, log_time=log_ns, data=data, publish_time=log_ns, sequence=0
        ).write(self._records)

    def written(self, compression: Compression, *, offset: int) -> tuple[bytes, ChunkIndex]:
        """The chunk with its message indices for `offset`, and their positions."""
        plain = self._records.end()
        compressed = _COMPRESS[compression](plain)
        chunk = _packed(
            ChunkRecord(
                compression=compression,
                data=compressed,
                message_end_time=self.last_ns,
                message_start_time=self.first_ns,
                uncompressed_crc=zlib.crc32(plain),
                uncompressed_size=len(plain),
            )
        )
        parts, offsets, at = [chunk], {}, offset + len(chunk)
        for channel_id, index in self.indices.items():
            offsets[channel_id] = at
            parts.append(_packed(index))
            at += len(parts[-1])
        index = ChunkIndex(
            chunk_length=len(chunk),
            chunk_start_offset=offset,
            compression=compression,
            compressed_size=len(compressed),
            message_end_time=self.last_ns,
            message_index_length=at - offset - len(chunk),
            message_index_offsets=offsets,
            message_start_time=self.first_ns,
            uncompressed_size=len(plain),
        )
        return b"".join(parts), index


def _packed(*records: McapRecord) -> bytes:
    builder = RecordBuilder()
    for record in records:
        record.write(builder)
    return builder.end()
