"""Reads rosbag2's sqlite3 files, intact or damaged: unreadable rows are skipped.

A database can act like a program: views and generated columns can compute forever, and a tree with
cyclic pages never ends. So only rows of two plain tables are read, each within `limits.step_s`,
and row ids must increase.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic

from robot_vision.codecs.unpack import Unpacker
from robot_vision.core.errors import ForeignFileError
from robot_vision.replay.reading.messages import (
    LONGEST_NAME,
    MOST_TOPICS,
    Problems,
    RawMessage,
    TopicTable,
)

MAX_STEP_ROWS = 1 << 20
_STEPS_BETWEEN_LOOKS = 10_000
_TABLES = frozenset({"messages", "topics", "sqlite_master"})
_FUNCTIONS = frozenset({"length", "typeof"})
# The order of the rows is that of `rowid`, which is rosbag2's `id`: nothing has to be sorted.
_MESSAGES = """
    SELECT rowid,
        CASE typeof(topic_id) WHEN 'integer' THEN topic_id END,
        CASE typeof(timestamp) WHEN 'integer' THEN timestamp END,
        CASE WHEN typeof(data) = 'blob' AND length(data) <= ? THEN data END
    FROM messages WHERE rowid > ? ORDER BY rowid
"""
_TOPICS = """
    SELECT id, name, type FROM topics
    WHERE typeof(id) = 'integer' AND length(name) <= ? AND length(type) <= ? LIMIT ?
"""


class SqliteFile:
    """Messages of one `.db3` file in the order of their rows, which is that of recording."""

    is_ros1 = False

    def __init__(self, path: Path, unpacker: Unpacker) -> None:
        self._path = path
        self._unpacker = unpacker
        self.size_bytes = path.stat().st_size
        self.read_bytes = 0
        self._until_s = 0.0

    def messages(self, problems: Problems) -> Iterator[RawMessage]:
        self.read_bytes = 0
        try:
            with closing(self._open()) as database:
                self._guard(database)
                topics = self._topics(database)
                yield from self._rows(database, topics, problems)
        except (sqlite3.Error, UnicodeError, TypeError, ValueError) as error:
            problems.add("file damaged", f"{self._path.name}: {self._why(error)}")
        self.read_bytes = self.size_bytes

    def _open(self) -> sqlite3.Connection:
        """Open without writing a file: the folder may be read-only, and it belongs to the user."""
        path = self._path.resolve()
        if not _has_rows(path.with_name(f"{path.name}-wal")):
            # immutable: reads a bag on a read-only disk, or with a stale journal, as it is
            return sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)
        # A killed recorder leaves rows in its log. Exclusive and without locks: the log's index is
        # kept in memory instead of a file beside it.
        database = sqlite3.connect(f"{path.as_uri()}?mode=ro&vfs=unix-none", uri=True)
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        return database

    def _guard(self, database: sqlite3.Connection) -> None:
        self._start_step()
        database.set_progress_handler(self._is_late, _STEPS_BETWEEN_LOOKS)
        # without this, SQLite rejects a file shorter than its header says
        database.execute("PRAGMA writable_schema=ON")
        database.execute("PRAGMA trusted_schema=OFF")
        database.execute("PRAGMA query_only=ON")
        for table in ("messages", "topics"):
            _must_be_plain(database, table)
        database.set_authorizer(_allow)

    def _start_step(self) -> None:
        self._until_s = monotonic() + self._unpacker.limits.step_s

    def _is_late(self) -> bool:
        return monotonic() > self._until_s

    def _why(self, error: Exception) -> str:
        if str(error) == "interrupted":
            step_s = self._unpacker.limits.step_s
            return f"reading a row takes more than {step_s:g} s (limits.step_s): gave up"
        return str(error)

    def _topics(self, database: sqlite3.Connection) -> TopicTable:
        self._start_step()
        topics = TopicTable()
        for number, name, msgtype in database.execute(
            _TOPICS, (LONGEST_NAME, LONGEST_NAME, MOST_TOPICS)
        ):
            topics.learn(number, str(name), str(msgtype))
        return topics

    def _rows(
        self, database: sqlite3.Connection, topics: TopicTable, problems: Problems
    ) -> Iterator[RawMessage]:
        row_id, step = 0, 1
        while step <= MAX_STEP_ROWS:
            try:
                for row in self._rows_after(database, row_id):
                    row_id, step = row[0], 1
                    yield from self._message(topics, *row, problems=problems)
                return
            except sqlite3.Error as error:
                if self._is_late():
                    raise
                detail = f"{self._path.name} after row {row_id}: {error}"
                problems.add("rows unreadable", detail)
                row_id += step
                step *= 2

    def _rows_after(
        self, database: sqlite3.Connection, row_id: int
    ) -> Iterator[tuple[int, int | None, int | None, bytes | None]]:
        self._start_step()
        most_bytes = self._unpacker.limits.chunk_bytes
        for row in database.execute(_MESSAGES, (most_bytes, row_id)):
            if row[0] <= row_id:
                raise ForeignFileError(
                    f"row {row[0]} comes after row {row_id}: the tree has a cycle"
                )
            row_id = row[0]
            count = len(row[3] or b"")
            self._unpacker.spend(count)
            self.read_bytes = min(self.read_bytes + count, self.size_bytes)
            yield row
            self._start_step()

    def _message(
        self,
        topics: TopicTable,
        row_id: int,
        topic_id: int | None,
        log_ns: int | None,
        data: bytes | None,
        *,
        problems: Problems,
    ) -> Iterator[RawMessage]:
        topic, msgtype = ("", "") if topic_id is None else topics.get(topic_id)
        if not topic or log_ns is None or data is None:
            detail = (
                f"{self._path.name}, row {row_id}: expected a known topic, a time and data of at "
                f"most {self._unpacker.limits.chunk_bytes} bytes (limits.chunk_mb)"
            )
            problems.add("rows unreadable", detail)
            return
        yield RawMessage(topic=topic, msgtype=msgtype, log_ns=log_ns, data=data)


def _has_rows(log: Path) -> bool:
    return log.is_file() and log.stat().st_size > 0


def _must_be_plain(database: sqlite3.Connection, table: str) -> None:
    """Raises `ForeignFileError` if a table is not a real one, or computes anything on reading."""
    query = "SELECT rootpage FROM sqlite_master WHERE type = 'table' AND name = ?"
    pages = [page for (page,) in database.execute(query, (table,)).fetchmany(2)]
    columns = list(database.execute(f"PRAGMA table_xinfo({table})"))
    is_plain = len(pages) == 1 and isinstance(pages[0], int) and pages[0] > 1
    has_computed = any(hidden for *_, hidden in columns)
    has_other_rowid = any(str(name).lower() == "rowid" for _, name, *_ in columns)
    if not is_plain or has_computed or has_other_rowid:
        raise ForeignFileError(f"{table} is not a plain table as rosbag2 writes them: not read")


def _allow(
    action: int, first: str | None, second: str | None, _database: str | None, inner: str | None
) -> int:
    """Allow reading columns of our tables, and nothing for a view or a trigger."""
    allowed = inner is None and (
        action == sqlite3.SQLITE_SELECT
        or (action == sqlite3.SQLITE_READ and first in _TABLES)
        or (action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
