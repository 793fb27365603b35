"""The garden of models as a table in Markdown, and as a picture to choose by."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.bench.garden import GardenRow

_HEADS = (
    "model", "size", "{metric} (95 %)", "trivial", "seeds", "M parameters", "GMACs", "memory MB",
    "torch p50, p95 ms", "ONNX Runtime p50, p95 ms", "trained min", "export differs by",
)  # fmt: skip


def by_task(rows: Iterable[GardenRow]) -> dict[str, list[GardenRow]]:
    """Rows of each task, the best first."""
    tasks: dict[str, list[GardenRow]] = {}
    for row in rows:
        tasks.setdefault(row.task, []).append(row)
    return {
        task: sorted(tasks[task], key=lambda row: -np.nan_to_num(row.value, nan=-1))
        for task in sorted(tasks)
    }


def as_markdown(rows: list[GardenRow]) -> str:
    """A table for each task."""
    return "\n\n".join(_table(task, group) for task, group in by_task(rows).items()) + "\n"


def _table(task: str, rows: list[GardenRow]) -> str:
    heads = [head.format(metric=rows[0].metric) for head in _HEADS]
    lines = [f"### {task}", "", _line(heads), _line(["---"] * len(heads))]
    return "\n".join([*lines, *(_line(_cells(row)) for row in rows)])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: GardenRow) -> list[str]:
    return [
        row.name,
        f"{row.width_px}×{row.height_px}",
        _figure(row),
        "–" if np.isnan(row.trivial) else f"{row.trivial:.3f}",
        str(row.seeds),
        f"{row.parameters / 1e6:.2f}",
        f"{row.gmacs:.2f}",
        f"{row.memory_mb:.0f}",
        f"{row.torch_p50_ms:.1f}, {row.torch_p95_ms:.1f}",
        f"{row.onnx_p50_ms:.1f}, {row.onnx_p95_ms:.1f}",
        f"{row.trained_minutes:.0f}",
        f"{row.export_difference:.1g}",
    ]


def _figure(row: GardenRow) -> str:
    if np.isnan(row.low):
        return f"{row.value:.3f}"
    return f"{row.value:.3f} ({row.low:.3f} to {row.high:.3f})"


def write_report(rows: list[GardenRow], folder: Path) -> None:
    """Write `garden.json`, `garden.md` and `garden.png`, accuracy against latency a task."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "garden.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    (folder / "garden.md").write_text(as_markdown(rows))
    _draw(rows, folder / "garden.png")


def _draw(rows: list[GardenRow], picture: Path) -> None:
    from matplotlib.figure import Figure

    tasks = by_task(rows)
    columns = min(3, len(tasks))
    lines = -(-len(tasks) // columns)
    figure = Figure(figsize=(5 * columns, 4 * lines), layout="constrained")
    axes = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axis in axes[len(tasks) :]:
        axis.set_axis_off()
    for axis, (task, group) in zip(axes, tasks.items(), strict=False):
        _draw_task(axis, task, group)
    figure.savefig(picture, dpi=110)


def _draw_task(axis: Any, task: str, rows: list[GardenRow]) -> None:
    for row in rows:
        error = [[row.value - row.low], [row.high - row.value]]
        axis.errorbar(row.onnx_p50_ms, row.value, yerr=np.nan_to_num(error), fmt="o", capsize=3)
        axis.annotate(
            f"{row.name}\n{row.parameters / 1e6:.1f} M",
            (row.onnx_p50_ms, row.value),
            xytext=(5, 4),
            textcoords="offset points",
            fontsize=8,
        )
    axis.set(title=task, xlabel="ONNX Runtime, ms (median)", ylabel=rows[0].metric)
    axis.grid(alpha=0.3)
