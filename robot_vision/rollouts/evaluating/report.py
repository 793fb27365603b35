"""An evaluation as a table and as curves of degradation."""

from pathlib import Path
from typing import Any

from rich.table import Table

from robot_vision.core.files.foreign import brief
from robot_vision.simulation.robot.work.task import KINDS
from robot_vision.terminal import Screen, styled

# One curve each: its axis label, and the conditions by value.
_CURVES: dict[str, dict[float, str]] = {
    "frames dropped, %": {0: "held_out", 20: "lost_20", 50: "lost_50"},
    "added delay, ms": {0: "held_out", 50: "delay_50", 100: "delay_100", 200: "delay_200"},
}
_WIDTH = 140  # if the terminal's width is unknown
_OTHERS = ("named first", "seen", "pointed", "starved", "jump", "s")
_BARS = ("held_out", "depth_lost", "camera_moved", "lights")


def print_report(report: dict[str, Any], console: Screen | None = None) -> None:
    """Shares of success in percent, with their 95 % intervals."""
    table = Table(title=f"{brief(report['policy_id'])}: success in closed loop, %")
    for column in ("condition", "all", *KINDS, *_OTHERS):
        table.add_column(column)
    for name, found in report["conditions"].items():
        table.add_row(
            name,
            _percent(found["success"]),
            *(_percent(found[kind]) if kind in found else "" for kind in KINDS),
            _percent(found["named_first"]),
            _points(found["seen"]),
            _points(found["pointed"]),
            str(found["starved"]),
            "" if found["jump_median"] is None else f"{found['jump_median']:.2f}",
            f"{found['time_s']:.1f}",
        )
    console = console or Screen()
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(table)
    violations = {
        limit: sum(found["joint_violations"][limit] for found in report["conditions"].values())
        for limit in next(iter(report["conditions"].values()))["joint_violations"]
    }
    if violations:
        commands = sum(found["commands"] for found in report["conditions"].values())
        words = ", ".join(f"{count} beyond {limit}" for limit, count in violations.items())
        console.print(f"joint commands: {commands}; {words}")
    for remark in report["remarks"]:
        console.print(styled(remark, "yellow"))
    if "paired" in report:
        console.print(_paired(report["paired"]))


def _paired(found: dict[str, Any]) -> str:
    if not found["n"]:
        return f"no episode is also in {brief(found['against'])}"
    low, high = 100 * found["low"], 100 * found["high"]
    return (
        f"against {brief(found['against'])}, {found['n']} pairs: {found['gained']} gained, "
        f"{found['lost']} lost: {100 * found['difference']:+.1f} % ({low:+.1f} to {high:+.1f})"
    )


def draw_degradation(report: dict[str, Any], file: Path) -> bool:
    """Success against the strength of faults; False if no such condition was evaluated."""
    conditions = report["conditions"]
    curves = {
        axis: {value: conditions[name] for value, name in points.items() if name in conditions}
        for axis, points in _CURVES.items()
    }
    curves = {axis: points for axis, points in curves.items() if len(points) > 1}
    bars = [name for name in _BARS if name in conditions]
    if not curves and len(bars) < 2:
        return False
    from matplotlib.figure import Figure

    count = len(curves) + 1
    figure = Figure(figsize=(4 * count, 3.5), layout="constrained")
    panels = list(figure.subplots(1, count, squeeze=False).flat)
    for panel, (axis, points) in zip(panels, curves.items(), strict=False):
        _draw(panel, list(points), list(points.values()), marker="o")
        panel.set_xlabel(axis)
    last = panels[-1]
    _draw(last, range(len(bars)), [conditions[name] for name in bars], marker="s", linestyle="")
    last.set_xticks(range(len(bars)), bars, rotation=20)
    for panel in panels:
        panel.set_ylim(0, 102)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("success, %")
    figure.savefig(file, dpi=110)
    return True


def _draw(panel: Any, x: Any, found: list[dict[str, Any]], **style: Any) -> None:
    share = [100 * f["success"]["share"] for f in found]
    below = [100 * (f["success"]["share"] - f["success"]["low"]) for f in found]
    above = [100 * (f["success"]["high"] - f["success"]["share"]) for f in found]
    panel.errorbar(list(x), share, yerr=[below, above], capsize=3, **style)


def _points(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f}"


def _percent(share: dict[str, float]) -> str:
    low, high = 100 * share["low"], 100 * share["high"]
    return f"{100 * share['share']:.1f} ({low:.0f} to {high:.0f})"
