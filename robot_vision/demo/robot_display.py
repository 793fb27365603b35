"""What the demonstration of the robot shows in the terminal, live and at the end."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Group
from rich.table import Table

from robot_vision.demo.display import live_view
from robot_vision.ros.tools.monitor import stages_of
from robot_vision.terminal import styled

_RECENT = 60


def robot_view(heard: Any, seen: Any, words: str) -> Group:
    """The instruction, what the arm does about it, and what perception sees."""
    status, task = seen.status, seen.task
    state = f"holding: {'; '.join(status.reasons)}" if status.holding else "moving"
    style = "yellow" if status.holding else "green"
    figures = Table("", "", box=None, pad_edge=False, show_header=False)
    if seen.age_s:
        p50, p95 = np.percentile(seen.age_s[-_RECENT:], [50, 95]) * 1e3
        figures.add_row("camera to command", f"p50 {p50:.0f} ms, p95 {p95:.0f} ms")
    figures.add_row("commands", f"{status.command_hz or 0:.0f} Hz, {status.late or 0} late in all")
    if status.policy_ms is not None:
        figures.add_row("policy", f"{status.policy_ms:.1f} ms")
    if status.action is not None:
        figures.add_row("action", " ".join(f"{value:+.3f}" for value in status.action))
    met = ", ".join(f"{why} ×{count}" for why, count in status.interventions.items())
    figures.add_row("interventions", met or "none")
    recent = heard.results[-_RECENT:]
    return Group(
        styled(f"“{words}”", "bold"),
        styled(f"{state}   {task.time_s:.0f} of {task.time_out_s:.0f} s", style),
        figures,
        live_view(recent, [stages_of(result) for result in recent], heard.status),
    )


def outcome_table(outcomes: Sequence[Any]) -> Table:
    """A row for each task: the words, how it ended, and what the safety filter did."""
    table = Table("scene", "instruction", "ended", "s", "interventions", box=None, pad_edge=False)
    for outcome in outcomes:
        style = {True: "green", False: "yellow", None: ""}[outcome.success]
        met = ", ".join(f"{why} ×{count}" for why, count in outcome.interventions.items())
        row = (str(outcome.seed), outcome.instruction, outcome.ended, f"{outcome.seconds:.1f}")
        table.add_row(*row, met, style=style)
    judged = [outcome for outcome in outcomes if outcome.success is not None]
    if judged:
        table.caption = f"{sum(o.success for o in judged)} of {len(judged)} tasks done"
    return table
