"""The files of a dataset as TensorFlow Datasets names them: splits, shards, missing ones.

`NAME/VERSION/NAME-SPLIT.tfrecord-00000-of-00005`, with `features.json` and `dataset_info.json`
beside them. A bare folder of `.tfrecord` files, or a single one, is enough.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robot_vision.core.errors import ForeignFileError
from robot_vision.core.files.foreign import quoted, read_json
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.rlds.features import FILE

_INFO = "dataset_info.json"
_SHARD = re.compile(r"(?P<stem>.+)\.tfrecords?(-(?P<number>\d{1,9})-of-(?P<count>\d{1,9}))?")


@dataclass(frozen=True, kw_only=True)
class ShardFile:
    path: Path
    split: str
    number: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Files:
    """Shards in the order of their episodes; `folder` has their description."""

    name: str
    folder: Path
    shards: tuple[ShardFile, ...]
    remarks: tuple[str, ...]


def is_rlds(path: Path) -> bool:
    """Whether files or folders of this name are those of TensorFlow Datasets."""
    try:
        return _shard(path) is not None if path.is_file() else bool(_folders(path))
    except OSError:
        return False


def find_files(path: Path) -> Files:
    """The shards at `path`: a file, a folder, or a dataset's folder with one version in it.

    Raises `DatasetError` if there are none, or several versions.
    """
    try:
        folders = [path.parent] if path.is_file() else _folders(path)
        if len(folders) > 1:
            choices = ", ".join(sorted(folder.name for folder in folders))
            raise DatasetError(f"{path} has several versions: {choices}; name one of the folders")
        if not folders:
            raise DatasetError(f"{path} holds no .tfrecord files")
        folder = folders[0]
        files = [path] if path.is_file() else list(folder.iterdir())
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error}") from error
    info = _info(folder)
    shards = [shard for file in files if (shard := _shard(file))]
    if not shards:
        form = quoted(info.get("fileFormat", "unknown"))
        raise DatasetError(f"{folder} holds no .tfrecord files: its format is {form}")
    splits = _split_names(info)
    shards.sort(key=lambda shard: _rank(shard, splits))
    return Files(
        name=_name(info, folder),
        folder=folder,
        shards=tuple(shards),
        remarks=tuple(_missing(shards)) if path.is_dir() else (),
    )


def _folders(path: Path) -> list[Path]:
    """`path`, if it holds shards or their description; else the folders in it that do."""
    if not path.is_dir():
        return []
    return [path] if _holds(path) else [f for f in path.iterdir() if f.is_dir() and _holds(f)]


def _holds(folder: Path) -> bool:
    is_described = (folder / FILE).is_file() and (folder / _INFO).is_file()
    return is_described or any(_shard(file) for file in folder.iterdir())


def _shard(file: Path) -> ShardFile | None:
    found = _SHARD.fullmatch(file.name)
    if found is None or file.name.startswith(".") or file.is_dir():
        return None
    return ShardFile(
        path=file,
        split=found["stem"].rpartition("-")[2],
        number=int(found["number"] or 0),
        count=int(found["count"] or 1),
    )


def _rank(shard: ShardFile, splits: Sequence[str]) -> tuple[int, list[int | str], int]:
    """In the order of the splits, then in natural order, 2 before 10."""
    known = splits.index(shard.split) if shard.split in splits else len(splits)
    stem = re.split(r"(\d+)", shard.path.name.partition(".tfrecord")[0])
    return known, [int(p) if at % 2 else p for at, p in enumerate(stem)], shard.number


def _missing(shards: Sequence[ShardFile]) -> list[str]:
    """Missing shards, as others state how many there are."""
    remarks = []
    for split, count in sorted({(shard.split, shard.count) for shard in shards}):
        there = {s.number for s in shards if (s.split, s.count) == (split, count)}
        stems = {s.path.name.partition(".tfrecord")[0] for s in shards if s.split == split}
        if len(stems) == 1 and len(there) < count:
            remarks.append(f"{count - len(there)} of {count} files of {split} are missing")
    return remarks


def _info(folder: Path) -> dict[str, Any]:
    path = folder / _INFO
    try:
        info = read_json(path) if path.is_file() else {}
    except ForeignFileError as error:
        raise DatasetError(str(error)) from error
    return info if isinstance(info, dict) else {}


def _split_names(info: dict[str, Any]) -> list[str]:
    splits = info.get("splits", [])
    names = [s.get("name") for s in splits if isinstance(s, dict)] if type(splits) is list else []
    return [name for name in names if isinstance(name, str)]


def _name(info: dict[str, Any], folder: Path) -> str:
    name = info.get("name")
    return name if isinstance(name, str) and name else folder.name
