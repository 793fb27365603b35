"""Untrusted Parquet files, read within bounds.

A few kilobytes of Parquet can encode any number of rows, with texts of any length in each.
So rows and values are counted before they are read, and read a bounded part at a time.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from robot_vision.core.files.foreign import quoted
from robot_vision.datasets.errors import DatasetError

MOST_EPISODES = 200_000
MOST_VALUES = 50_000_000
MOST_TABLE_BYTES = 2**30
# For columns that become Python objects, which take ten times the space.
_MOST_ROW_VALUES = 5_000_000
_MOST_ROW_BYTES = 2**28
_MOST_BATCH_BYTES = 2**26
_MOST_BATCH_ROWS = 65_536
_FAULTS = (OSError, pa.ArrowException, ValueError, MemoryError)


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """A file for the functions here; raises `DatasetError` if it is not Parquet."""
    file = open_parquet(path)
    try:
        yield file
    finally:
        file.close(force=True)


def open_parquet(path: Path) -> pq.ParquetFile:
    """Raises `DatasetError` if the file is missing or damaged."""
    try:
        # Not `pq.read_table`, which would make folders like chunk-000 into columns; and mapped
        # here, because Arrow takes no path that is not UTF-8.
        with path.open("rb") as file:
            content = mmap(file.fileno(), 0, access=ACCESS_READ)
        return pq.ParquetFile(pa.BufferReader(pa.py_buffer(content)))
    except _FAULTS as error:
        raise DatasetError(f"{path}: expected a Parquet file, but {error}") from error


def read_rows(
    path: Path, columns: Sequence[str] | None = None, *, most: int
) -> list[dict[str, Any]]:
    """All rows of a file, at most this many; raises `DatasetError`."""
    with opened(path) as file:
        if file.metadata.num_rows > most:
            raise DatasetError(
                f"{path} has {file.metadata.num_rows} rows; at most {most} can be read"
            )
        table = read_columns(
            file, path, columns, most_values=_MOST_ROW_VALUES, most_bytes=_MOST_ROW_BYTES
        )
    try:
        return table.to_pylist()
    except _FAULTS as error:  # text that is not UTF-8
        raise DatasetError(f"{path} is damaged: {error}") from error


def read_columns(
    file: pq.ParquetFile,
    path: Path,
    columns: Sequence[str] | None = None,
    *,
    group: int | None = None,
    most_values: int = MOST_VALUES,
    most_bytes: int = MOST_TABLE_BYTES,
) -> pa.Table:
    """Columns of a file or of one row group; raises `DatasetError` naming `path`."""
    names = file.schema_arrow.names
    missing = sorted(set(columns or ()) - set(names))
    if missing:
        raise DatasetError(f"{path}: no column {', '.join(missing)}")
    if len(set(names)) != len(names):
        raise DatasetError(f"{path} has two columns of the same name: {quoted(', '.join(names))}")
    try:
        wanted = None if columns is None else list(columns)
        groups = range(file.num_row_groups) if group is None else [group]
        values, rows_a_batch = _sizes(file, set(names if wanted is None else wanted), groups)
        if values > most_values:
            raise DatasetError(f"{path} holds {values} values; at most {most_values} can be read")
        batches, size = [], 0
        for batch in file.iter_batches(
            batch_size=rows_a_batch, row_groups=list(groups), columns=wanted
        ):
            batches.append(_spelled_out(batch))
            size += batches[-1].nbytes
            if size > most_bytes:
                raise DatasetError(f"{path} holds more than {most_bytes} bytes of values")
        schema = file.schema_arrow
        chosen = schema if wanted is None else pa.schema([schema.field(name) for name in wanted])
        if not batches:
            return chosen.empty_table()
        return pa.Table.from_batches(batches).select(chosen.names)
    except DatasetError:
        raise
    except _FAULTS as error:
        raise DatasetError(f"{path} is damaged: {error}") from error


def _spelled_out(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Refuses dictionaries, which let one text fill any number of rows uncounted."""
    for number, field in enumerate(batch.schema):
        if pa.types.is_dictionary(field.type):
            batch = batch.set_column(number, field.name, batch.column(number).dictionary_decode())
        elif "dictionary<" in str(field.type):
            raise DatasetError(f"column {quoted(field.name)} is of type {quoted(field.type)}")
    return batch


def _sizes(file: pq.ParquetFile, wanted: set[str], groups: Sequence[int]) -> tuple[int, int]:
    """The number of values, and the number of rows that may be read at a time.

    No value is longer than its column's uncompressed part of the file.
    """
    values, longest = 0, 1
    for group in groups:
        about = file.metadata.row_group(group)
        for index in range(about.num_columns):
            column = about.column(index)
            if not _is_of(column.path_in_schema, wanted):
                continue
            values += max(column.num_values, about.num_rows)
            if column.physical_type in ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"):
                longest = max(longest, column.total_uncompressed_size)
    return values, max(1, min(_MOST_BATCH_ROWS, _MOST_BATCH_BYTES // longest))


def _is_of(path_in_schema: str, wanted: set[str]) -> bool:
    """Whether a leaf belongs to one of the columns; their names have dots as well."""
    parts = path_in_schema.split(".")
    return any(".".join(parts[:count]) in wanted for count in range(1, len(parts) + 1))
