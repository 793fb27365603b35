"""Class names: as written in files, and those of COCO."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import MOST_YAML_BYTES, parse_yaml, quoted, read_text

_NUMBERED = re.compile(r"^\s*(\d{1,6})\s*:\s*(.*)$")
_MOST_CLASSES = 100_000

_COCO_FILE = Path(__file__).parents[2] / "data" / "import_pictures" / "coco_names.txt"


@cache
def coco_names() -> tuple[str, ...]:
    """The 80 classes of COCO (Lin et al. 2014, arXiv:1405.0312) in the order of detectors."""
    return read_class_names(_COCO_FILE)


def read_class_names(path: Path) -> tuple[str, ...]:
    """Names from a text file, one per line or `0: cup`; also YAML like Ultralytics' `names:`.

    A byte order mark and blank lines are skipped. Raises `ConfigError` that names the line.
    """
    try:
        text = read_text(path, most_bytes=MOST_YAML_BYTES)
    except ForeignFileError as error:
        raise ConfigError(f"cannot read the class names in {path}: {error}") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and _is_yaml(path, lines):
        try:
            return names_of(parse_yaml(text, what=str(path))["names"], what=str(path))
        except (ForeignFileError, KeyError, TypeError) as error:
            raise ConfigError(f"cannot read the class names in {path}: {error}") from error
    numbered = [_NUMBERED.match(line) for line in lines]
    if all(numbered) and lines:
        found = {int(m[1]): m[2].strip().strip("'\"") for m in numbered if m}
        if len(found) != len(lines):
            raise ConfigError(f"{path} gives a name to the same number twice")
        return names_of(found, what=str(path))
    return tuple(lines)


def names_of(found: Any, *, what: str) -> tuple[str, ...]:
    """Names from a list, or by number from 0 without gaps; raises `ConfigError`."""
    if isinstance(found, list | tuple):
        found = dict(enumerate(found))
    if not isinstance(found, Mapping) or len(found) > _MOST_CLASSES:
        raise ConfigError(f"{what}: expected a list of class names, or names by their number")
    try:
        by_number = {int(number): str(name) for number, name in found.items()}
    except (TypeError, ValueError):
        raise ConfigError(f"{what}: class names must have numbers as keys") from None
    missing = sorted(set(range(len(by_number))) - set(by_number))
    if missing or len(by_number) != len(found):
        first = missing[0] if missing else quoted(next(iter(found)))
        raise ConfigError(
            f"{what}: class {first} has no name of its own; expected each number from 0 to "
            f"{len(found) - 1} once"
        )
    return tuple(by_number[number] for number in range(len(by_number)))


def names_background(name: str) -> bool:
    """Whether a name stands for the background: `__background__`, `unlabeled`."""
    return _letters(name) in ("background", "unlabeled", "unlabelled")


def same_name(one: str, other: str) -> bool:
    """Whether two names differ only in case, spaces and punctuation: `diningtable`."""
    return _letters(one) == _letters(other)


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _is_yaml(path: Path, lines: list[str]) -> bool:
    return path.suffix.lower() in (".yaml", ".yml") and any(
        line.startswith("names:") for line in lines
    )
