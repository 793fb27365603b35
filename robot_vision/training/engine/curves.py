"""The log of a run: one CSV row per round, and its plot."""

import csv
from pathlib import Path

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted


def append_row(file: Path, row: dict[str, float]) -> None:
    """Add a row; new columns are added to earlier rows, empty."""
    rows = read_rows(file) if file.exists() else []
    columns = list(rows[0]) if rows else []
    columns += [name for name in row if name not in columns]
    _write(file, columns, [*rows, {k: f"{v:.6g}" for k, v in row.items()}])


def drop_rows_after(file: Path, step: int) -> None:
    """Drop rounds after the last checkpoint: they are trained again."""
    rows = read_rows(file) if file.exists() else []
    kept = [row for row in rows if float(row["step"]) <= step]
    if len(kept) < len(rows):
        _write(file, list(rows[0]), kept)


def _write(file: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    """Atomic: a full disk keeps the previous log."""
    partial = file.with_suffix(".partial")
    try:
        with partial.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(file)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def read_rows(file: Path) -> list[dict[str, str]]:
    """The rows of the log, values as text, empty if a round did not measure it.

    Raises `ConfigError` if it is not a log: remove it, and the run continues without.
    """
    try:
        with file.open(newline="") as stream:
            rows = [dict(row) for row in csv.DictReader(stream)]
        for row in rows:
            _ = float(row["step"]), float(row["minutes"])
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise ConfigError(
            f"cannot read the log {file}: {quoted(repr(error))}; expected a row per round with "
            "step and minutes. Remove it, and training continues without"
        ) from error
    return rows


def draw_curves(file: Path, picture: Path) -> None:
    """One panel per column of the log, over the minutes trained, as a PNG; none without rows."""
    from matplotlib.figure import Figure

    rows = read_rows(file) if file.exists() else []
    if not rows:
        return
    names = [name for name in rows[0] if name not in ("step", "minutes", "part")]
    columns = 4
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(4 * columns, 2.6 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).flat
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    for axis, name in zip(axes, names, strict=False):
        points = [(float(r["minutes"]), float(r[name])) for r in rows if r[name] not in ("", None)]
        axis.plot(*zip(*points, strict=True), marker="." if len(points) < 30 else "")
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("minutes", fontsize=8)
        axis.grid(alpha=0.3)
    figure.savefig(picture, dpi=90)
