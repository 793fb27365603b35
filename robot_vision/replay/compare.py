"""Two replays of the same bags side by side: two models, or two revisions of the code."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from robot_vision.core.errors import ConfigError
from robot_vision.replay.drift import TOLERANCES, Drift, compare
from robot_vision.replay.summary import VERSION


@dataclass(frozen=True, kw_only=True)
class Row:
    """A figure of both replays."""

    figure: str
    before: float | str | None
    after: float | str | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One bag in both replays; `drifts` are those beyond the golden file's tolerances."""

    bag: str
    rows: list[Row]
    drifts: list[Drift]


def compare_files(before: Path, after: Path) -> list[Comparison]:
    """Compare two files written by `replay --json`; raises `ConfigError` if bags are missing."""
    first, second = _results(before), _results(after)
    shared = [name for name in first if name in second]
    if not shared:
        raise ConfigError(
            f"{before} and {after} share no bag: {', '.join(first)} against {', '.join(second)}"
        )
    return [_comparison(name, first[name], second[name]) for name in shared]


def print_comparison(
    console: Console, comparisons: Sequence[Comparison], *, everything: bool
) -> None:
    """A table per bag, then what is beyond tolerance."""
    for comparison in comparisons:
        table = Table(title=comparison.bag, box=None, header_style="bold")
        table.add_column("figure", no_wrap=True)
        for name in ("before", "after", "change"):
            table.add_column(name, justify="right")
        for row in comparison.rows:
            if everything or row.before != row.after:
                table.add_row(row.figure, _text(row.before), _text(row.after), _change(row))
        console.print(table)
        for drift in comparison.drifts:
            console.print(
                f"beyond tolerance: {drift.figure}: {drift.expected} became {drift.actual} "
                f"(tolerance {drift.tolerance}) {drift.where}".rstrip(),
                highlight=False,
                markup=False,
                soft_wrap=True,
            )


def _results(path: Path) -> dict[str, dict[str, Any]]:
    try:
        summary = json.loads(path.read_text())
        if summary["version"] != VERSION:
            raise ConfigError(f"{path} has version {summary['version']}, expected {VERSION}")
        return {bag["bag"]: bag for bag in summary["bags"] if "behaviour" in bag}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not a file of `replay --json`: {error!r}") from error


def _comparison(name: str, first: dict[str, Any], second: dict[str, Any]) -> Comparison:
    before, after = _figures(first), _figures(second)
    names = [*before, *(figure for figure in after if figure not in before)]
    drifts = compare(first["behaviour"], second["behaviour"], tolerances=TOLERANCES)
    rows = [Row(figure=n, before=before.get(n), after=after.get(n)) for n in names]
    return Comparison(bag=name, rows=rows, drifts=drifts)


def _figures(result: dict[str, Any]) -> dict[str, float | str | None]:
    """The figures of a replay that fit in a table, by name."""
    figures = result["figures"]
    rows: dict[str, float | str | None] = {
        "model": figures["model"],
        "digest": figures["digest"][:16],
        "frames": figures["frames"],
        "× real time": result["run"]["times_real_time"],
        "tracks": len(figures["tracks"]),
        "id switches": len(figures["id_switches"]),
        "mean track length (frames)": _mean([t["frames"] for t in figures["tracks"]]),
    }
    for title, key in (
        ("mean score", "score"),
        ("objects per frame", "objects"),
        ("depth coverage", "depth_coverage"),
        ("median depth (m)", "depth_median_m"),
    ):
        rows[title] = _mean([w[key] for w in figures["windows"] if key in w])
    for name, count in figures["detections_by_class"].items():
        rows[f"detections of {name}"] = count
    for stage, ages in figures["stage_s"].items():
        rows[f"{stage} p50 (ms)"] = 1e3 * ages["p50"]
    return rows


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _text(value: float | str | None) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:.4g}"


def _change(row: Row) -> str:
    if not isinstance(row.before, (int, float)) or not isinstance(row.after, (int, float)):
        return ""
    change = row.after - row.before
    share = f" ({change / row.before:+.1%})" if row.before else ""
    return f"{change:+.4g}{share}"
