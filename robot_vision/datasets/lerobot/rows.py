"""The rows of a dataset: numbers by feature, and images stored in them."""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from robot_vision.core.files.foreign import quoted
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.columns import array_of
from robot_vision.datasets.lerobot.episodes import Place
from robot_vision.datasets.lerobot.files.parquet import open_parquet, read_columns
from robot_vision.datasets.lerobot.form import layout
from robot_vision.datasets.lerobot.form.features import IMAGES, is_image
from robot_vision.datasets.lerobot.form.schema import NUMBERED, DatasetFormat

_OPEN_FILES = 8
# Images are read one by one, and LeRobot's language columns are lists of structures.
_NOT_HERE = (*IMAGES, "language")


class Rows:
    """The rows of all episodes; files are opened on demand, a few at a time."""

    def __init__(self, features: Mapping[str, Any]) -> None:
        self._features = features
        self._tables: OrderedDict[Path, pq.ParquetFile] = OrderedDict()
        self._mine: tuple[Place, np.ndarray] | None = None
        self._group: tuple[Path, int, str, pa.ChunkedArray] | None = None

    def columns(self, place: Place) -> dict[str, np.ndarray]:
        """An episode's data by feature; raises `DatasetError`."""
        names = [n for n, f in self._features.items() if f["dtype"] not in _NOT_HERE]
        rows = read_columns(self._table(place.data), place.data, names)
        mine = rows.take(pa.array(self._rows_of(place)))
        columns = {}
        for name in names:
            found = array_of(mine[name], f"{place.data}: {quoted(name)}")
            if found is not None:
                columns[name] = found
        for name in NUMBERED:
            values = columns.get(name)
            if values is None or values.size != place.length or values.dtype.kind not in "iuf":
                raise DatasetError(f"{place.data}: {name} must have one number per row")
            columns[name] = values.reshape(-1)
        return columns

    def image(self, place: Place, frame_index: int, feature: str) -> bytes:
        """An image as stored; empty if there is none."""
        table = self._table(place.data)
        row = int(self._rows_of(place)[frame_index])
        for group in range(table.num_row_groups):
            rows = table.metadata.row_group(group).num_rows
            if row < rows:
                return _bytes(self._images(table, place.data, group, feature)[row])
            row -= rows
        raise DatasetError(f"{place.data} has no row of frame {frame_index}")

    def close(self) -> None:
        for table in self._tables.values():
            table.close(force=True)
        self._tables.clear()

    def _table(self, path: Path) -> pq.ParquetFile:
        if path not in self._tables:
            if len(self._tables) >= _OPEN_FILES:
                self._tables.popitem(last=False)[1].close(force=True)
            self._tables[path] = open_parquet(path)
        self._tables.move_to_end(path)
        return self._tables[path]

    def _images(
        self, table: pq.ParquetFile, path: Path, group: int, feature: str
    ) -> pa.ChunkedArray:
        if self._group is None or self._group[:3] != (path, group, feature):
            images = read_columns(table, path, [feature], group=group)[feature]
            self._group = (path, group, feature, images)
        return self._group[3]

    def _rows_of(self, place: Place) -> np.ndarray:
        """The episode's rows of its file: foreign files hold several episodes, in any order."""
        if self._mine is None or self._mine[0] is not place:
            self._mine = (place, _rows_in(self._owners_in(place.data), place))
        return self._mine[1]

    def _owners_in(self, path: Path) -> np.ndarray:
        """The episode of each row."""
        column = read_columns(self._table(path), path, ["episode_index"])["episode_index"]
        owners = array_of(column, f"{path}: episode_index")
        if owners is None or owners.size != len(column) or owners.dtype.kind not in "iuf":
            raise DatasetError(f"{path}: episode_index must have one number per row")
        return owners.reshape(-1)


def _rows_in(owners: np.ndarray, place: Place) -> np.ndarray:
    rows = np.flatnonzero(owners == place.episode_index)
    if len(rows) != place.length:
        raise DatasetError(
            f"{place.data} has {len(rows)} rows of episode {place.episode_index}, "
            f"meta says {place.length}"
        )
    return rows


def must_be_of(form: DatasetFormat, columns: dict[str, np.ndarray], root: Path) -> None:
    """Raise `DatasetError` if rows do not have their declared form."""
    for name, feature in form.features().items():
        if is_image(feature):
            continue
        shape = () if feature["shape"] == [1] else tuple(feature["shape"])
        found = columns.get(name)
        kind = np.dtype(feature["dtype"]).kind
        if found is None or found.shape[1:] != shape or found.dtype.kind != kind:
            has = "nothing" if found is None else f"{found.dtype} {found.shape[1:]}"
            raise DatasetError(
                f"{root}: {name} is {has} per row, {layout.OURS} says {feature['dtype']} {shape}"
            )


def _bytes(stored: pa.Scalar) -> bytes:
    """LeRobot stores an image as a structure of its bytes and a path, which is not followed."""
    value = stored.as_py()
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) else b""
