"""A recording of bounded size: MCAP files one after the other, the oldest deleted when full.

Each file stands for itself (definitions and latched messages are in all of them), and the folder
with its metadata.yaml is a rosbag2 recording.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from mcap.writer import CompressionType, Writer

from robot_vision.core.errors import ConfigError
from robot_vision.replay.ros_types import output_types

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class RecordedTopic:
    """A topic to record; `latched` ones are repeated at the start of every file."""

    name: str
    type_name: str
    latched: bool = False


@dataclass
class _File:
    path: Path
    counts: Counter[str] = field(default_factory=Counter)
    first_ns: int = 0
    last_ns: int = 0


class RotatingRecording:
    """Writes messages to `folder`, files of about `split_bytes`, at most `max_bytes` in all.

    Raises `ConfigError` if `folder` is there already, `OSError` if it cannot be written.
    """

    def __init__(self, folder: Path, *, split_bytes: int, max_bytes: int) -> None:
        if folder.exists():
            raise ConfigError(f"{folder} is there already; expected a new folder for a recording")
        if max_bytes < 2 * split_bytes:
            raise ConfigError(f"{max_bytes} bytes in all; expected at least two files' worth")
        folder.mkdir(parents=True)
        self._folder = folder
        self._split_bytes = split_bytes
        self._max_bytes = max_bytes
        self._topics: dict[str, RecordedTopic] = {}
        self._latched: dict[str, bytes] = {}
        self._files: list[_File] = []
        self._number = 0
        self._open_next()
        self.deleted: list[str] = []

    def write(self, topic: RecordedTopic, *, log_ns: int, data: bytes) -> None:
        """Append a serialized message; begins a new file, and deletes old ones, as needed."""
        if self._stream.tell() > self._split_bytes:
            self._close_file()
            self._open_next()
            for name, last in self._latched.items():
                self._append(self._topics[name], log_ns, last)
            self._delete_oldest()
        self._topics[topic.name] = topic
        if topic.latched:
            self._latched[topic.name] = data
        self._append(topic, log_ns, data)

    def close(self) -> None:
        """Finish the last file and describe the recording in metadata.yaml."""
        self._close_file()
        text = yaml.safe_dump(self._metadata(), sort_keys=False)
        (self._folder / "metadata.yaml").write_text(text)

    def _append(self, topic: RecordedTopic, log_ns: int, data: bytes) -> None:
        file = self._files[-1]
        if topic.name not in self._channels:
            definition, _ = output_types().generate_msgdef(topic.type_name, ros_version=2)
            schema_id = self._writer.register_schema(
                topic.type_name, "ros2msg", definition.encode()
            )
            self._channels[topic.name] = self._writer.register_channel(
                topic.name, "cdr", schema_id
            )
        self._writer.add_message(
            self._channels[topic.name], log_time=log_ns, publish_time=log_ns, data=data
        )
        file.counts[topic.name] += 1
        file.first_ns = file.first_ns or log_ns
        file.last_ns = max(file.last_ns, log_ns)

    def _open_next(self) -> None:
        path = self._folder / f"{self._folder.name}_{self._number}.mcap"
        self._number += 1
        self._stream = path.open("wb")
        self._writer = Writer(
            self._stream, compression=CompressionType.LZ4, chunk_size=CHUNK_BYTES
        )
        self._writer.start(profile="ros2", library="robot_vision")
        self._channels: dict[str, int] = {}
        self._files.append(_File(path))

    def _close_file(self) -> None:
        self._writer.finish()
        self._stream.close()

    def _delete_oldest(self) -> None:
        """Room for the file just begun, so that the whole stays below the limit."""
        while len(self._files) > 1 and self._bytes() + self._split_bytes > self._max_bytes:
            oldest = self._files.pop(0)
            oldest.path.unlink(missing_ok=True)
            self.deleted.append(oldest.path.name)

    def _bytes(self) -> int:
        return sum(file.path.stat().st_size for file in self._files if file.path.exists())

    def _metadata(self) -> dict[str, Any]:
        """What `ros2 bag` wants to know of a recording (rosbag2 format 5)."""
        counts = sum((file.counts for file in self._files), Counter())
        start_ns = min((file.first_ns for file in self._files if file.counts), default=0)
        end_ns = max((file.last_ns for file in self._files), default=0)
        topics = [
            {
                "topic_metadata": {
                    "name": name,
                    "type": self._topics[name].type_name,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": "",
                },
                "message_count": count,
            }
            for name, count in counts.items()
        ]
        info = {
            "version": 5,
            "storage_identifier": "mcap",
            "compression_format": "",
            "compression_mode": "",
            "relative_file_paths": [file.path.name for file in self._files],
            "duration": {"nanoseconds": end_ns - start_ns},
            "starting_time": {"nanoseconds_since_epoch": start_ns},
            "message_count": counts.total(),
            "topics_with_message_count": topics,
            "files": [_about(file) for file in self._files],
        }
        return {"rosbag2_bagfile_information": info}


def _about(file: _File) -> dict[str, Any]:
    return {
        "path": file.path.name,
        "starting_time": {"nanoseconds_since_epoch": file.first_ns},
        "duration": {"nanoseconds": file.last_ns - file.first_ns},
        "message_count": file.counts.total(),
    }
