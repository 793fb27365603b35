"""Untrusted JSON; mistakes are reported with the file and the value."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from robot_vision.core.errors import ForeignFileError
from robot_vision.core.files import foreign
from robot_vision.core.files.foreign import quoted
from robot_vision.datasets.errors import DatasetError

ModelT = TypeVar("ModelT", bound=BaseModel)


def read_json(path: Path) -> Any:
    """Raises `DatasetError` if the file is missing or is not JSON."""
    try:
        return foreign.read_json(path)
    except ForeignFileError as error:
        raise DatasetError(str(error)) from error


def read_json_lines(path: Path) -> list[Any]:
    """A line of JSON per entry; raises `DatasetError`."""
    try:
        # Only line ends: `splitlines` would also split at separators within a text.
        lines = foreign.read_text(path).split("\n")
        return [
            foreign.parse_json(line, what=f"{path}, line {number}")
            for number, line in enumerate(lines, start=1)
            if line.strip()
        ]
    except ForeignFileError as error:
        raise DatasetError(str(error)) from error


def read_model(path: Path, kind: type[ModelT]) -> ModelT:
    """Raises `DatasetError` if the file is missing or does not fit."""
    return checked(read_json(path), kind, where=path)


def checked(content: Any, kind: type[ModelT], *, where: object) -> ModelT:
    """A file's content as a model; raises `DatasetError` with the first mistake."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = quoted(".".join(str(part) for part in first["loc"]))[1:-1]
        raise DatasetError(
            f"{where}: {place}: {first['msg']}, found {quoted(first['input'])}"
        ) from error
