"""Files of figures."""

from pathlib import Path

from pydantic_core import to_json


def write_figures(file: Path, figures: object) -> None:
    """Write mappings, lists and dataclasses as JSON, in a new folder if need be.

    Numbers that are not finite become null: JSON lacks them, and other programs than Python's
    refuse a file that has them.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(to_json(figures, indent=1, inf_nan_mode="null") + b"\n")
