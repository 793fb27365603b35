"""Every track in every frame, as CSV or Parquet, written as it comes."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from robot_vision.core.disk import writing_to
from robot_vision.core.errors import MissingDependencyError
from robot_vision.core.objects import class_name
from robot_vision.core.types import TrackState
from robot_vision.replay.running.runner import Processed

COLUMNS = {
    "frame": int,
    "stamp_ns": int,
    "track_id": int,
    "class": str,
    "state": str,
    "score": float,
    "left_px": float,
    "top_px": float,
    "right_px": float,
    "bottom_px": float,
    "x_m": float,
    "y_m": float,
    "z_m": float,
    "vx_mps": float,
    "vy_mps": float,
    "vz_mps": float,
    "size_x_m": float,
    "size_y_m": float,
    "size_z_m": float,
    "age_s": float,
    "unseen_s": float,
}
ROWS_PER_GROUP = 10_000


@runtime_checkable
class TracksTable(Protocol):
    def add(self, done: Processed) -> None: ...


@contextmanager
def open_table(path: Path) -> Iterator[TracksTable]:
    """A table at `path`, of the format of its suffix.

    Raises `MissingDependencyError` if that is Parquet and pyarrow is not installed.
    """
    table = _Parquet(path) if path.suffix == ".parquet" else _Csv(path)
    try:
        yield table
    finally:
        with writing_to(path):
            table.close()


class _Csv:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)

    def add(self, done: Processed) -> None:
        self._writer.writerows(_rows(done))

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise MissingDependencyError(
                "tracks as Parquet need pyarrow: pip install pyarrow, or take --tracks csv"
            ) from error
        arrow_types = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
        self._schema = pyarrow.schema([(n, arrow_types[kind]) for n, kind in COLUMNS.items()])
        self._pyarrow = pyarrow
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema)
        self._rows: list[tuple[Any, ...]] = []

    def add(self, done: Processed) -> None:
        self._rows += _rows(done)
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


def _rows(done: Processed) -> Iterator[tuple[Any, ...]]:
    tracks = done.perception.tracks
    for row, track_id in enumerate(tracks.track_id.tolist()):
        yield (
            done.number,
            tracks.stamp_ns,
            track_id,
            class_name(done.perception.class_names, int(tracks.class_id[row])),
            TrackState(int(tracks.state[row])).name.lower(),
            round(float(tracks.score[row]), 5),
            *(round(v, 3) for v in tracks.box_xyxy_px[row].tolist()),
            *(round(v, 5) for v in tracks.position_in_camera_m[row].tolist()),
            *(round(v, 5) for v in tracks.velocity_in_camera_mps[row].tolist()),
            *(round(v, 5) for v in tracks.size_m[row].tolist()),
            round(float(tracks.age_s[row]), 4),
            round(float(tracks.unseen_s[row]), 4),
        )
