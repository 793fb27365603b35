"""Files of figures."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

_ANYTHING = TypeAdapter[Any](Any)


def write_figures(file: Path, figures: object) -> None:
    """Write mappings, lists and dataclasses as JSON, in a new folder if need be.

    Numbers that are not finite become null: JSON lacks them, and other programs than Python's
    refuse a file that has them.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_ANYTHING.dump_json(figures, indent=1) + b"\n")
