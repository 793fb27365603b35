"""Compares two replays of the same bags: two models, or two revisions of the code."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import brief, quoted, read_json
from robot_vision.replay.reporting.comparison.drift import TOLERANCES, compare_foreign
from robot_vision.replay.reporting.comparison.figure_drift import Drift
from robot_vision.replay.reporting.comparison.verdict import VERSION
from robot_vision.terminal import Screen


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
            f"{before} and {after} share no bag: {brief(', '.join(first))} against "
            f"{brief(', '.join(second))}"
        )
    try:
        return [_comparison(name, first[name], second[name]) for name in shared]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"{before} and {after} cannot be compared: {quoted(repr(error))}"
        ) from error


def print_comparison(
    console: Screen, comparisons: Sequence[Comparison], *, everything: bool
) -> None:
    """A table per bag, then figures beyond tolerance."""
    for comparison in comparisons:
        table = Table(title=brief(comparison.bag), box=None, header_style="bold")
        table.add_column("figure", no_wrap=True)
        for name in ("before", "after", "change"):
            table.add_column(name, justify="right")
        for row in comparison.rows:
            if everything or row.before != row.after:
                table.add_row(
                    brief(row.figure),
                    brief(_text(row.before)),
                    brief(_text(row.after)),
                    _change(row),
                )
        console.print(table)
        for drift in comparison.drifts:
            console.print(
                f"beyond tolerance: {drift.figure}: {drift.expected} became {drift.actual} "
                f"(tolerance {drift.tolerance}) {drift.where}".rstrip(),
                soft_wrap=True,
            )


def _results(path: Path) -> dict[str, dict[str, Any]]:
    try:
        summary = read_json(path)
        if summary["version"] != VERSION:
            found = quoted(summary["version"])
            raise ConfigError(f"{path} has version {found}, expected {VERSION}")
        return {str(bag["bag"]): bag for bag in summary["bags"] if "behaviour" in bag}
    except ConfigError:
        raise
    except (ForeignFileError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is not a file of `replay --json`: {quoted(repr(error))}"
        ) from error


def _comparison(name: str, first: dict[str, Any], second: dict[str, Any]) -> Comparison:
    before, after = _figures(first), _figures(second)
    names = [*before, *(figure for figure in after if figure not in before)]
    drifts = compare_foreign(first["behaviour"], second["behaviour"], tolerances=TOLERANCES)
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
    for name, share in figures.get("classification", {}).get("top1", {}).items():
        rows[f"frames that show most likely {name}"] = share
    for name, share in figures.get("segmentation", {}).get("share", {}).items():
        rows[f"mean share of pixels of {name}"] = share
    for stage, ages in figures["stage_s"].items():
        rows[f"{stage} p50 (ms)"] = 1e3 * ages["p50"]
    return rows


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _text(value: float | str | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _change(row: Row) -> str:
    if not isinstance(row.before, (int, float)) or not isinstance(row.after, (int, float)):
        return ""
    change = row.after - row.before
    share = f" ({change / row.before:+.1%})" if row.before else ""
    return f"{change:+.4g}{share}"
