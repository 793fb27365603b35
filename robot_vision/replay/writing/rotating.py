"""A recording of bounded size: MCAP files one after the other, the oldest deleted when full.

Each file stands for itself (definitions and latched messages are in all of them), and the folder
with its metadata.yaml is a rosbag2 recording.
"""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.disk import DiskFullError
from robot_vision.replay.writing.mcap_file import McapFile
from robot_vision.replay.writing.offered_qos import offered_qos


@dataclass(frozen=True, kw_only=True)
class RecordedTopic:
    """A topic to record; `latched` ones are repeated at the start of every file."""

    name: str
    type_name: str
    latched: bool = False


class RotatingRecording:
    """Writes messages to `folder`, files of about `split_bytes`, at most `max_bytes` in all.

    Raises `ConfigError` if `folder` is there already, `DiskFullError` if it cannot be written:
    then nothing more is taken, and what is there stays readable. `counts` has the messages by
    topic that can be read from the files there are, `lost` those that could not be written.
    """

    def __init__(self, folder: Path, *, split_bytes: int, max_bytes: int) -> None:
        if folder.exists():
            raise ConfigError(f"{folder} is there already; expected a new folder for a recording")
        if max_bytes < 2 * split_bytes:
            raise ConfigError(f"{max_bytes} bytes in all; expected at least two files' worth")
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise ConfigError(f"{folder} cannot be made: {error}") from error
        self._folder = folder
        self._split_bytes = split_bytes
        self._max_bytes = max_bytes
        self._topics: dict[str, RecordedTopic] = {}
        self._latched: dict[str, bytes] = {}
        self._not_taken: Counter[str] = Counter()
        self._number = 0
        self._files = [self._next()]
        self.deleted: list[str] = []

    @property
    def counts(self) -> Counter[str]:
        return sum((file.counts for file in self._files), Counter())

    @property
    def lost(self) -> Counter[str]:
        return sum((file.lost for file in self._files), self._not_taken)

    def write(self, topic: RecordedTopic, *, log_ns: int, data: bytes) -> None:
        """Append a serialized message; begins a new file, and deletes old ones, as needed."""
        if self._files[-1].size_bytes > self._split_bytes:
            try:
                self._split(log_ns)
            except DiskFullError:
                self._not_taken[topic.name] += 1
                raise
        self._topics[topic.name] = topic
        if topic.latched:
            self._latched[topic.name] = data
        self._files[-1].add(
            topic.name, topic.type_name, log_ns=log_ns, data=data, latched=topic.latched
        )

    def flush(self) -> None:
        """Write what waits: only what is written is counted, and stays when the process dies."""
        self._files[-1].flush()

    def close(self) -> None:
        """Finish the last file and describe the recording in metadata.yaml; both are tried."""
        failure: DiskFullError | None = None
        try:
            self._files[-1].close()
        except DiskFullError as error:
            failure = error
        try:
            self._describe()
        except OSError as error:
            failure = failure or DiskFullError(self._folder / "metadata.yaml", error)
        if failure is not None:
            raise failure

    def _split(self, log_ns: int) -> None:
        self._files[-1].close()
        self._files.append(self._next())
        for name, last in self._latched.items():
            kind = self._topics[name].type_name
            self._files[-1].add(name, kind, log_ns=log_ns, data=last, latched=True)
        self._delete_oldest()

    def _next(self) -> McapFile:
        path = self._folder / f"{self._folder.name}_{self._number}.mcap"
        self._number += 1
        return McapFile(path, compression="lz4")

    def _describe(self) -> None:
        """Write metadata.yaml: all of it or none."""
        partial = self._folder / ".metadata.yaml.partial"
        text = yaml.safe_dump(self._metadata(), sort_keys=False)
        try:
            with partial.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._folder / "metadata.yaml")
        except OSError:
            partial.unlink(missing_ok=True)
            raise

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
        counts = self.counts
        start_ns = min((file.first_ns for file in self._files if file.counts), default=0)
        end_ns = max((file.last_ns for file in self._files), default=0)
        topics = [
            {
                "topic_metadata": {
                    "name": name,
                    "type": self._topics[name].type_name,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": offered_qos(latched=self._topics[name].latched),
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


def _about(file: McapFile) -> dict[str, Any]:
    return {
        "path": file.path.name,
        "starting_time": {"nanoseconds_since_epoch": file.first_ns},
        "duration": {"nanoseconds": file.last_ns - file.first_ns},
        "message_count": file.counts.total(),
    }
