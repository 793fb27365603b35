"""A user's description of the model to import."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the user gave: a file, and any settled fields. No format: it may be any.

    Without `is_tried`, open fields take the values that exporters mostly use.
    """

    file: Path
    name: str
    format: str = ""
    classes: tuple[str, ...] = ()
    keypoints: tuple[str, ...] = ()
    size_px: tuple[int, int] | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    image: Mapping[str, Any] = field(default_factory=dict)
    reading: Mapping[str, str] = field(default_factory=dict)
    licence: str = "unknown"
    is_tried: bool = True
