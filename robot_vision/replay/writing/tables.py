"""Tables as CSV or Parquet, written as their rows come."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from robot_vision.core.errors import MissingDependencyError
from robot_vision.core.files.disk import writing_to

ROWS_PER_GROUP = 10_000

Columns = Mapping[str, type]
"""int, float or str by the column's name."""
Row = tuple[Any, ...]


@runtime_checkable
class Table(Protocol):
    def add(self, rows: Iterable[Row]) -> None: ...


@contextmanager
def open_table(path: Path, columns: Columns) -> Iterator[Table]:
    """A table at `path`, of the format of its suffix.

    Raises `MissingDependencyError` if that is Parquet and pyarrow is not installed.
    """
    table = _Parquet(path, columns) if path.suffix == ".parquet" else _Csv(path, columns)
    try:
        yield table
    finally:
        with writing_to(path):
            table.close()


class _Csv:
    def __init__(self, path: Path, columns: Columns) -> None:
        self._file = path.open("w", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(columns)

    def add(self, rows: Iterable[Row]) -> None:
        self._writer.writerows(rows)

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path, columns: Columns) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise MissingDependencyError(
                "tables as Parquet need pyarrow: pip install pyarrow, or take --tracks csv"
            ) from error
        arrow_types = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
        self._schema = pyarrow.schema([(n, arrow_types[kind]) for n, kind in columns.items()])
        self._pyarrow = pyarrow
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema)
        self._rows: list[Row] = []

    def add(self, rows: Iterable[Row]) -> None:
        self._rows += rows
        if len(self._rows) >= ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            columns = [list(column) for column in zip(*self._rows, strict=True)]
            self._writer.write_table(self._pyarrow.table(columns, schema=self._schema))
            self._rows = []
