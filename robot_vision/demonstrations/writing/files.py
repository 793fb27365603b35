"""Files that are written completely or not at all."""

import json
import os
from pathlib import Path
from typing import Any


def put(temporary: Path, path: Path) -> None:
    """Move a written file to its final place; on disk when this returns."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def fresh(path: Path) -> Path:
    """Where a file is written before it is `put`; a link there is removed: it leads elsewhere."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    return temporary


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = fresh(path)
    # Invalid text is written as its JSON escape.
    temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    put(temporary, path)


def write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=4, ensure_ascii=False) + "\n")
