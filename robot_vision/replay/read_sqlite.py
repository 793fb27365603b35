"""rosbag2's sqlite3 files, whole or damaged: rows that cannot be read are stepped over."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from robot_vision.replay.messages import Problems, RawMessage

MAX_STEP_ROWS = 1 << 20


class SqliteFile:
    """Messages of one `.db3` file in the order of their rows, which is that of recording."""

    is_ros1 = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size_bytes = path.stat().st_size
        self.read_bytes = 0

    def messages(self, problems: Problems) -> Iterator[RawMessage]:
        self.read_bytes = 0
        try:
            # immutable: a bag on a read-only disk, or with a stale journal, is read as it is
            uri = f"{self._path.resolve().as_uri()}?immutable=1"
            with closing(sqlite3.connect(uri, uri=True)) as database:
                # without this, SQLite refuses a file that is shorter than its header says
                database.execute("PRAGMA writable_schema=ON")
                yield from self._rows(database, _topics(database), problems)
        except (sqlite3.Error, UnicodeError, TypeError) as error:
            problems.add("file damaged", f"{self._path.name}: {error}")
        self.read_bytes = self.size_bytes

    def _rows(
        self,
        database: sqlite3.Connection,
        topics: dict[int, tuple[str, str]],
        problems: Problems,
    ) -> Iterator[RawMessage]:
        query = "SELECT id, topic_id, timestamp, data FROM messages WHERE id > ? ORDER BY id"
        row_id, step = 0, 1
        while step <= MAX_STEP_ROWS:
            try:
                for row in database.execute(query, (row_id,)):
                    row_id, step = row[0], 1
                    self.read_bytes = min(self.read_bytes + len(row[3] or b""), self.size_bytes)
                    yield from self._message(topics, *row[1:], problems=problems)
                return
            except sqlite3.Error as error:
                detail = f"{self._path.name} after row {row_id}: {error}"
                problems.add("rows unreadable", detail)
                row_id += step
                step *= 2

    def _message(
        self,
        topics: dict[int, tuple[str, str]],
        topic_id: int,
        log_ns: int,
        data: bytes,
        *,
        problems: Problems,
    ) -> Iterator[RawMessage]:
        topic, msgtype = topics.get(topic_id, ("", ""))
        if not topic or not isinstance(data, bytes) or not isinstance(log_ns, int):
            problems.add("rows unreadable", f"{self._path.name}: a row of topic {topic_id!r}")
            return
        yield RawMessage(topic=topic, msgtype=msgtype, log_ns=log_ns, data=data)


def _topics(database: sqlite3.Connection) -> dict[int, tuple[str, str]]:
    rows = database.execute("SELECT id, name, type FROM topics")
    return {topic_id: (str(name), str(msgtype)) for topic_id, name, msgtype in rows}
