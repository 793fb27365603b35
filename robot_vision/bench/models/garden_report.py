"""The model garden as Markdown tables, as JSON, and inserted into a document."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from robot_vision.bench.models.garden_frame import HEIGHT_PX, WIDTH_PX
from robot_vision.bench.models.garden_plot import as_svg
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.figures import write_figures
from robot_vision.model_store.measured import GardenRow

_HEADS = (
    "model", "{metric} (95 %)", "trivial", "frame ms", "ONNX Runtime ms, p95", "torch ms, p95",
    "input px", "M parameters", "GMACs", "memory MB", "trained min", "seeds", "export differs by",
)  # fmt: skip
_NOT_THERE = "–"
_BUSY = 1.5  # runnable processes per core; the bench itself uses all cores
PICTURE = "garden.svg"
BEGIN, END = "<!-- garden: by `robot-vision bench garden` -->", "<!-- end of garden -->"


def by_asked(rows: Iterable[GardenRow]) -> dict[str, list[GardenRow]]:
    """Rows by prediction, the best first."""
    groups: dict[str, list[GardenRow]] = {}
    for row in rows:
        groups.setdefault(row.asked, []).append(row)
    return {
        asked: sorted(group, key=lambda row: -np.nan_to_num(row.value, nan=-1))
        for asked, group in groups.items()
    }


def as_markdown(rows: list[GardenRow], *, measured: str) -> str:
    """The machine, and a table per prediction."""
    tables = [_table(asked, group) for asked, group in by_asked(rows).items()]
    return "\n\n".join([measured, *tables]) + "\n"


def measured_on(machine: dict[str, str], *, threads: int) -> str:
    """Text on the machine and the meaning of the time columns."""
    is_busy = float(machine["load_1min"]) > _BUSY * int(machine["cores"])
    return (
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load_1min']} at the "
        f"end; {threads} threads per run, batch 1, median milliseconds and the 95th percentile. "
        f"*Frame* is a camera frame of {WIDTH_PX}×{HEIGHT_PX} as in the service: resizing, "
        "network, decoding. Memory is the increase from loading and running."
        + (" **The machine was busy with other work: the times are too long.**" * is_busy)
    )


def _table(asked: str, rows: list[GardenRow]) -> str:
    heads = [head.format(metric=rows[0].metric) for head in _HEADS]
    lines = [f"**{asked}**", "", _line(heads), _line(["---", *["---:"] * (len(heads) - 1)])]
    return "\n".join([*lines, *(_line(_cells(row)) for row in rows)])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: GardenRow) -> list[str]:
    return [
        f"`{row.name}`",
        _figure(row),
        _rounded(row.trivial, ".3f"),
        f"{row.frame_p50_ms:.1f}",
        f"{row.onnx_p50_ms:.1f}, {row.onnx_p95_ms:.1f}",
        f"{row.torch_p50_ms:.1f}, {row.torch_p95_ms:.1f}",
        f"{row.width_px}×{row.height_px}",
        f"{row.parameters / 1e6:.2f}",
        f"{row.gmacs:.2f}",
        f"{row.memory_mb:.0f}",
        _rounded(row.trained_minutes, ".0f"),
        str(row.seeds),
        _rounded(row.export_difference, ".1g"),
    ]


def _figure(row: GardenRow) -> str:
    if np.isnan(row.low):
        return _rounded(row.value, ".3f")
    return f"{row.value:.3f} ({row.low:.3f} to {row.high:.3f})"


def _rounded(value: float, how: str) -> str:
    return _NOT_THERE if np.isnan(value) else format(value, how)


def write_report(rows: list[GardenRow], folder: Path, *, measured: str) -> None:
    """Write `garden.json`, `garden.md` and `garden.svg`, accuracy against latency."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(rows, folder / "garden.json", measured=measured)
    (folder / "garden.md").write_text(as_markdown(rows, measured=measured))
    (folder / PICTURE).write_text(as_svg(by_asked(rows)))


def write_table(rows: list[GardenRow], file: Path, *, measured: str) -> None:
    """Write the rows as JSON for `models recommend`."""
    write_figures(file, {"measured": measured, "rows": rows})


def check_document(document: Path) -> None:
    """Raise `ConfigError` unless a document has the two marks around the tables."""
    text = document.read_text() if document.is_file() else ""
    if not 0 <= text.find(BEGIN) < text.find(END):
        raise ConfigError(
            f"{document} has no place for the tables: expected a line {BEGIN!r}, and after it a "
            f"line {END!r}"
        )


def write_into(document: Path, rows: list[GardenRow], *, measured: str) -> Path:
    """Put picture and tables between a document's marks; returns the picture in `images/`."""
    check_document(document)
    before, _, rest = document.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    picture = document.parent / "images" / PICTURE
    picture.parent.mkdir(exist_ok=True)
    picture.write_text(as_svg(by_asked(rows)))
    shown = f"![Accuracy of each model against its latency](images/{PICTURE})"
    parts = (shown, as_markdown(rows, measured=measured).strip())
    document.write_text("\n\n".join([before + BEGIN, *parts, END + after]))
    return picture
