"""Paths of a dataset's files: LeRobot's templates taken literally, every path below the root."""

import re
from functools import lru_cache
from pathlib import Path, PurePosixPath
from stat import S_IFREG, S_ISLNK, S_ISREG
from typing import Final

from robot_vision.core.errors import ForeignFileError
from robot_vision.core.files.foreign import inside, quoted
from robot_vision.datasets.errors import DatasetError

# Names of features and columns. LeRobot's have no slash either, since they name folders.
FEATURE_NAME: Final = r"^[^./\\\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]{0,199}$"
LONGEST_TEMPLATE: Final = 500
# Larger numbers are not indices, and several of that length would not fit in a file name.
MOST_INDEX: Final = 10**12
_NUMBERS = ("episode_chunk", "episode_index", "chunk_index", "file_index")
_PLACEHOLDER = re.compile(rf"\{{(video_key|{'|'.join(_NUMBERS)})(?::0([1-9]|1[0-9])d)?\}}")
_NOT_LITERAL = re.compile(r"[{}\\\x00-\x1f\x7f-\x9f]")


def fill(template: str, **names: int | str) -> str:
    """A path by a template such as `data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet`.

    Only LeRobot's placeholders are known, numbers with widths up to 19. Raises `DatasetError`.
    """
    parts = []
    for part in _parts(template):
        if isinstance(part, str):
            parts.append(part)
            continue
        name, width = part
        if name not in names:
            raise DatasetError(f"path {quoted(template)}: expected of {', '.join(names)}: {name}")
        value = names[name]
        parts.append(_key(value) if name == "video_key" else f"{_index(value, name):0{width}d}")
    return "".join(parts)


@lru_cache(maxsize=64)
def _parts(template: str) -> tuple[str | tuple[str, int], ...]:
    """Literal texts and placeholders with their widths, alternating."""
    parts: list[str | tuple[str, int]] = []
    end = 0
    for found in _PLACEHOLDER.finditer(template[:LONGEST_TEMPLATE]):
        parts += [template[end : found.start()], (found[1], int(found[2] or 0))]
        end = found.end()
    parts.append(template[end:])
    wrong = [part for part in parts if isinstance(part, str) and _NOT_LITERAL.search(part)]
    if wrong or len(template) > LONGEST_TEMPLATE:
        raise DatasetError(
            f"path {quoted(template)}: expected plain text of at most {LONGEST_TEMPLATE} letters "
            f"with {{video_key}} and numbers such as {{file_index:03d}}, of {', '.join(_NUMBERS)}"
        )
    return tuple(parts)


def _key(value: int | str) -> str:
    if not isinstance(value, str) or not re.match(FEATURE_NAME, value):
        raise DatasetError(f"{quoted(value)} cannot be a feature's name: it names a folder")
    return value


def _index(value: int | str, name: str) -> int:
    return counted(value, name, where="a path")


def counted(value: object, name: str, *, where: object) -> int:
    """A count or an index as a file gives it; raises `DatasetError`."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_INDEX:
        raise DatasetError(
            f"{where}: {name} is {quoted(value)}, expected a whole number from 0 to {MOST_INDEX}"
        )
    return value


class Files:
    """The files below a dataset's folder. Links may not lead out of it.

    The Hub's cache is an exception: there files are links to `blobs` beside `snapshots`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sound: set[str] = set()

    def path(self, template: str | Path, **names: int | str) -> Path:
        """The file named by a template; raises `DatasetError` if it is not below the folder."""
        name = fill(str(template), **names)
        folder = str(PurePosixPath(name).parent)
        # A dataset has many files in few folders, and resolving takes a while.
        if folder not in self._sound:
            if folder != ".":
                self._check(folder)
            self._sound.add(folder)
        path = self._root / name
        try:
            mode = path.lstat().st_mode
        except (OSError, ValueError):  # missing: the caller reports it when opening
            mode = S_IFREG
        if ".." in name or S_ISLNK(mode):
            self._check(name)
        if not (S_ISREG(mode) or path.is_file()):
            raise DatasetError(f"{path} is not a regular file: it was not opened")
        return path

    def check_links(self) -> None:
        """Raise `DatasetError` if any link leads outside: for writers."""
        for path in self._root.rglob("*"):
            if path.is_symlink():
                self._check(str(path.relative_to(self._root)))

    def _check(self, name: str) -> None:
        try:
            inside(self._root, name)
        except ForeignFileError as error:
            if not self._is_blob(name):
                raise DatasetError(f"{self._root}: {error}") from error

    def _is_blob(self, name: str) -> bool:
        snapshot = self._root.resolve()
        if snapshot.parent.name != "snapshots" or ".." in name:
            return False
        try:
            inside(snapshot.parents[1] / "blobs", str((snapshot / name).resolve()))
        except (ForeignFileError, OSError, RuntimeError, ValueError):
            return False
        return True
