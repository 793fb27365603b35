"""Stage times of many frames: percentiles, as JSON and as a table."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

from robot_vision.core.timing import Percentiles
from robot_vision.terminal import Screen


def percentiles_ms(frames: Iterable[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """p50, p95, p99 and max of each stage, in the order in which stages first appear."""
    stages: dict[str, Percentiles] = {}
    for frame in frames:
        for stage, milliseconds in frame.items():
            stages.setdefault(stage, Percentiles(size=1_000_000)).add(milliseconds)
    return {
        stage: {name: round(value, 3) for name, value in values.summary().items()}
        for stage, values in stages.items()
    }


def overhead_ms(frame: Mapping[str, float], *, whole: str) -> float:
    """Everything but inference."""
    return frame[whole] - frame.get("inference", 0.0)


def show(console: Screen, result: Mapping[str, Any]) -> None:
    """Print a result: the machine, a row per stage, then the rest."""
    machine = result["machine"]
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load_1min']}, "
        f"{machine['system']}",
    )
    table = Table("stage, ms", "p50", "p95", "p99", "max", box=None, pad_edge=False)
    for stage, values in result["stage_ms"].items():
        table.add_row(stage, *(f"{values[name]:.1f}" for name in ("p50", "p95", "p99", "max")))
    console.print(table)
    for name, value in result.items():
        if not isinstance(value, dict):
            console.print(f"{name}: {value}")
