"""The table of measured models: written by `robot-vision bench garden`, shipped in the package."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted, read_json

SHIPPED_TABLE = Path(__file__).parents[1] / "data" / "garden" / "garden.json"


@dataclass(frozen=True, kw_only=True)
class GardenRow:
    """One metric of a bundle, and the bundle's cost.

    `asked` is the question it answers. `recipe` is that of its run without the seed: equal ones
    differ only by seed. `frame_p50_ms` is for a camera's frame as the service runs it on `device`.
    `low` and `high` bound the metric with 95 % confidence; NaN where no interval is known.
    `trivial` is the trivial baseline's value, NaN where there is none.
    """

    name: str
    asked: str
    task: str
    architecture: str
    recipe: str
    licence: str
    device: str
    metric: str
    value: float
    low: float
    high: float
    trivial: float
    seeds: int
    width_px: int
    height_px: int
    parameters: int
    gmacs: float
    memory_mb: float
    torch_p50_ms: float
    torch_p95_ms: float
    onnx_p50_ms: float
    onnx_p95_ms: float
    frame_p50_ms: float
    trained_minutes: float
    export_difference: float


@dataclass(frozen=True, kw_only=True)
class MeasuredTable:
    """The rows, and a description of the machine that they were measured on."""

    measured: str
    rows: tuple[GardenRow, ...]


def read_table(file: Path = SHIPPED_TABLE) -> MeasuredTable:
    """The table in a file of `bench garden`; raises `ConfigError` if it is not one."""
    content = read_json(Path(file))
    try:
        rows = tuple(_row(row) for row in content["rows"])
        return MeasuredTable(measured=str(content["measured"]), rows=rows)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{file} is not a table of models: {quoted(repr(error))}; expected garden.json as "
            "`robot-vision bench garden` writes it"
        ) from error


def _row(found: Mapping[str, Any]) -> GardenRow:
    """A row from JSON, in which missing figures are null."""
    kinds = {"float": float, "int": int, "str": str}
    values = {}
    for field in fields(GardenRow):
        value, kind = found[field.name], kinds[getattr(field.type, "__name__", str(field.type))]
        values[field.name] = np.nan if value is None and kind is float else kind(value)
    return GardenRow(**values)
