"""TFRecord files: locates each record and verifies its bytes.

A record is its length (u64, little-endian), the length's masked CRC-32C, the data, and their CRC.
https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.rlds.crc32c import crc32c, masked

_HEAD, _FOOT = struct.Struct("<QI"), struct.Struct("<I")
_PIECE_BYTES = 1 << 20
# A shard holds thousands; empty records of 16 bytes could be many more.
MOST_RECORDS = 1_000_000
_PACKED = {b"\x1f\x8b": "GZIP", b"\x78\x01": "ZLIB", b"\x78\x9c": "ZLIB", b"\x78\xda": "ZLIB"}


@dataclass(frozen=True, kw_only=True)
class Record:
    """The data of a record: `size` bytes from `begin` of `path`."""

    path: Path
    begin: int
    size: int

    def __str__(self) -> str:
        return f"{self.path}: the record of {self.size} bytes at byte {self.begin}"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """The records of one file, as far as they could be found; `damage` says why it ended."""

    path: Path
    records: tuple[Record, ...]
    damage: str = ""


def index_shard(path: Path) -> Shard:
    """Find the records by their lengths, without reading their data.

    Raises `DatasetError` if the file is compressed as a whole, or cannot be opened.
    """
    records: list[Record] = []
    damage = ""
    try:
        for record in _records(path):
            if len(records) == MOST_RECORDS:
                raise _DamagedError(f"more than {MOST_RECORDS} records")
            records.append(record)
    except _DamagedError as error:
        damage = f"{path.name}: {error}; the {len(records)} records before it are read"
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error}") from error
    return Shard(path=path, records=tuple(records), damage=damage)


class _DamagedError(Exception):
    """The next record cannot be found."""


def _records(path: Path) -> Iterator[Record]:
    if not path.is_file():  # reading a pipe may never end
        raise DatasetError(f"{path} is not a regular file: it was not opened")
    file_bytes = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at < file_bytes:
            file.seek(at)
            head = file.read(_HEAD.size)
            size = _size(head, at, path)
            begin = at + _HEAD.size
            at = begin + size + _FOOT.size
            if at > file_bytes:
                raise _DamagedError(f"truncated in a record of {size} bytes at byte {begin}")
            yield Record(path=path, begin=begin, size=size)


def _size(head: bytes, at: int, path: Path) -> int:
    if at == 0 and (kind := _PACKED.get(head[:2])) and not _is_sound(head):
        raise DatasetError(
            f"{path} is compressed as a whole ({kind}), which prevents access to single episodes; "
            "unpack it first"
        )
    if len(head) < _HEAD.size:
        raise _DamagedError(f"truncated in the length of a record at byte {at}")
    if not _is_sound(head):
        raise _DamagedError(f"the length of the record at byte {at} is damaged (its CRC differs)")
    return _HEAD.unpack(head)[0]


def _is_sound(head: bytes) -> bool:
    return len(head) == _HEAD.size and masked(crc32c(head[:8])) == _HEAD.unpack(head)[1]


def read_record(record: Record, begin: int, size: int) -> bytes:
    """This many bytes from `begin` of the record's data; raises `DatasetError` beyond its end."""
    if not 0 <= begin <= begin + size <= record.size:
        raise DatasetError(f"{record} is damaged: it names bytes beyond its end")
    return _read(record, begin, size)


def check_record(record: Record) -> None:
    """Compare the data with their CRC, in pieces; raises `DatasetError` if they differ."""
    crc = 0
    for at in range(0, record.size, _PIECE_BYTES):
        crc = crc32c(_read(record, at, min(_PIECE_BYTES, record.size - at)), crc)
    if _read(record, record.size, _FOOT.size) != _FOOT.pack(masked(crc)):
        raise DatasetError(f"{record} is damaged: its CRC differs")


def _read(record: Record, begin: int, size: int) -> bytes:
    """Opened for each read: threads share nothing, and no file stays open."""
    try:
        with record.path.open("rb", buffering=0) as file:
            file.seek(record.begin + begin)
            data = file.read(size)
    except OSError as error:
        raise DatasetError(f"cannot read {record}: {error}") from error
    if len(data) < size:
        raise DatasetError(f"{record} no longer exists: the file has become shorter")
    return data
