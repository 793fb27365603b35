"""The Pareto plot: the task's figure over latency and over size, and the Pareto front."""

from collections.abc import Sequence
from pathlib import Path

from robot_vision.compressing.carry_out import Outcome, Row


def front(rows: Sequence[Row], cost: str) -> list[Row]:
    """The Pareto front: rows that no other row beats in both, the cheapest first."""
    best = float("-inf")
    kept = []
    for row in sorted(rows, key=lambda row: (getattr(row.cost, cost), -row.figure)):
        if row.figure > best:
            kept.append(row)
            best = row.figure
    return kept


def draw(outcome: Outcome, file: Path) -> Path:
    """A PNG with one panel for latency and one for size."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    labels = (("p50_ms", "median latency, ms"), ("size_mb", "size of the ONNX file, MB"))
    for panel, (cost, label) in zip(axes, labels, strict=True):
        _panel(panel, outcome, cost)
        panel.set_xlabel(label)
        panel.grid(alpha=0.25)
    axes[0].set_ylabel(outcome.metric)
    figure.savefig(file, dpi=120)
    return file


def _panel(panel: object, outcome: Outcome, cost: str) -> None:
    from matplotlib.axes import Axes

    assert isinstance(panel, Axes)
    best = front(outcome.rows, cost)
    panel.step(
        [getattr(row.cost, cost) for row in best],
        [row.figure for row in best],
        where="post",
        color="0.6",
        linewidth=1,
        zorder=1,
    )
    floor = outcome.rows[0].figure - outcome.most_lost
    panel.axhline(floor, color="0.6", linestyle=":", linewidth=1)
    for row in outcome.rows:
        x = getattr(row.cost, cost)
        color = {"accepted": "tab:green", "": "black"}.get(row.verdict, "tab:red")
        if row.low is not None and row.high is not None:
            panel.vlines(x, row.low, row.high, color=color, alpha=0.35, linewidth=3)
        panel.plot(x, row.figure, "o", color=color, zorder=2)
        panel.annotate(
            row.name, (x, row.figure), xytext=(6, 5), textcoords="offset points", fontsize=9
        )
    panel.margins(x=0.18, y=0.12)
