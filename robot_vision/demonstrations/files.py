"""Files that are there whole or not at all, and JSON whose mistakes are told."""

import json
import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from robot_vision.demonstrations.schema import DatasetError

ModelT = TypeVar("ModelT", bound=BaseModel)


def put(temporary: Path, path: Path) -> None:
    """Move a written file to where it is looked for; on disk when this returns."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    put(temporary, path)


def write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=4, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Raises `DatasetError` if the file is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DatasetError(f"{path}: expected JSON, but {error}") from error


def read_model(path: Path, kind: type[ModelT]) -> ModelT:
    """Raises `DatasetError` if the file is missing or does not fit."""
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DatasetError(f"{path}: {where}: {first['msg']}, found {first['input']!r}") from error
