"""The report of a soak: Markdown with plots, and all data as JSON."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from statistics import median

from robot_vision.core.files.figures import write_figures
from robot_vision.soak.ledger import INVARIANTS, Ledger
from robot_vision.soak.outcome import FaultRun, Outcome, as_json
from robot_vision.soak.plots import lines, timeline
from robot_vision.viz.svg import Series

REPORT, FIGURES = "report.md", "report.json"


def write_report(folder: Path, outcome: Outcome, ledger: Ledger) -> Path:
    """Write all files of the report into a folder; returns the Markdown's path."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = as_json(outcome, ledger)
    write_figures(folder / FIGURES, figures)
    plots = {
        "faults.svg": timeline(outcome.runs, end_s=outcome.seconds) if outcome.runs else "",
        "memory.svg": lines(_memory(outcome), title="Private memory", y_label="MB"),
        "rates.svg": lines(_rates(outcome), title="Rates", y_label="per second"),
        "ages.svg": lines(_ages(outcome), title="Age since the camera's stamp, p95", y_label="ms"),
    }
    for name, drawn in plots.items():
        if drawn:
            (folder / name).write_text(drawn, encoding="utf-8")
    pictures = [f"![{name.partition('.')[0]}]({name})" for name, drawn in plots.items() if drawn]
    parts = [
        _head(outcome, ledger),
        "\n\n".join(pictures),
        _invariants(ledger),
        _faults(outcome.runs),
        _processes(outcome),
    ]
    path = folder / REPORT
    path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    return path


def _head(outcome: Outcome, ledger: Ledger) -> str:
    result = (
        f"**{ledger.total} violations** of {len({v.invariant for v in ledger.violations})} "
        "invariants"
        if ledger.total
        else "**No invariant was violated**"
    )
    machine = "; ".join(f"{name} {value}" for name, value in outcome.machine.items())
    held = sum(run.verdict == "held" for run in outcome.runs)
    asked = sum(run.verdict in ("held", "not held") for run in outcome.runs)
    recovered = sum(run.recovered_s is not None for run in outcome.runs)
    missing = outcome.frames_missing
    facts = [
        f"{outcome.seconds:.0f} s of {outcome.wanted_s:.0f} s; ended: {outcome.ended}",
        f"{len(outcome.runs)} faults of {len(outcome.faults)} kinds, seed {outcome.seed}; "
        f"held {held} of the {asked} that had to hold; recovered from {recovered}",
        f"{outcome.frames_sent} frames sent; neither a result nor counted as dropped: "
        f"{'unknown' if missing is None else missing} (including those in progress); "
        f"{outcome.scenes} scenes",
        f"on {_escaped(machine)}",
        *(f"note: {_escaped(note)}" for note in outcome.notes),
    ]
    return "# Soak\n\n" + result + ".\n\n" + "\n".join(f"- {fact}" for fact in facts)


def _invariants(ledger: Ledger) -> str:
    rows = []
    for name, says in INVARIANTS.items():
        found = [v for v in ledger.violations if v.invariant == name]
        count = sum(v.count for v in found)
        state = f"**violated ×{count}**" if count else "held" if ledger.checks[name] else "–"
        rows.append([name, says, str(ledger.checks[name]), state])
    table = _table(["invariant", "requirement", "checked", "result"], rows)
    if not ledger.total:
        return f"## Invariants\n\n{table}"
    broken = [
        [v.invariant, v.fault, str(v.count), f"{v.first_s:.1f}", _escaped(v.examples[0])]
        for v in ledger.violations
    ]
    titles = ["invariant", "during or after", "times", "first at, s", "example"]
    return f"## Invariants\n\n{table}\n\n### Violations\n\n{_table(titles, broken)}"


def _faults(runs: Sequence[FaultRun]) -> str:
    if not runs:
        return ""
    rows = []
    for name, group in groupby(sorted(runs, key=lambda r: (r.name, r.number)), lambda r: r.name):
        of = list(group)
        recovered_s = [run.recovered_s for run in of if run.recovered_s is not None]
        verdicts = [run.verdict for run in of]
        asked = len(of) - verdicts.count("no hold required")
        rows.append(
            [
                name,
                str(len(of)),
                f"{verdicts.count('held')} of {asked}" if asked else "–",
                f"{len(recovered_s)} of {len(of)}",
                f"{median(recovered_s):.1f}, {max(recovered_s):.1f}" if recovered_s else "–",
                str(sum(run.enabled_again for run in of)),
                str(sum(sum(run.violations.values()) for run in of)),
            ]
        )
    titles = ["fault", "times", "held", "recovered", "s to recover (median, maximum)"]
    return "## Faults\n\n" + _table([*titles, "enabled again", "violations"], rows)


def _processes(outcome: Outcome) -> str:
    rows = []
    for grown in outcome.growth:
        samples = outcome.samples[grown.process]
        first, last = samples[0], samples[-1]
        cpu = (last.cpu_s - first.cpu_s) / max(last.at_s - first.at_s, 1e-9)
        slope = "–" if grown.slope_mb_per_h is None else f"{grown.slope_mb_per_h:+.2f}"
        rows.append(
            [
                grown.process,
                f"{first.rss_mb:.0f}, {last.rss_mb:.0f}, {max(s.rss_mb for s in samples):.0f}",
                f"{first.private_mb:.0f}, {last.private_mb:.0f}",
                slope,
                f"{grown.growth_mb:+.1f}",
                f"{last.segments} ({grown.segments:+g})",
                f"{last.children} ({grown.children:+g})",
                f"{last.threads} ({grown.threads:+g})",
                f"{last.files} ({grown.files:+g})",
                f"{100 * cpu:.0f}",
            ]
        )
    if not rows:
        return ""
    memory = ["MB with shared and children (first, last, maximum)", "private MB (first, last)"]
    slope = ["private MB/h after the warm-up", "growth, MB"]
    counts = ["segments", "children", "threads", "open files", "CPU %"]
    return "## Processes\n\n" + _table(["process", *memory, *slope, *counts], rows)


def _memory(outcome: Outcome) -> list[Series]:
    return [
        Series(name=name, x=[s.at_s for s in of], y=[s.private_mb for s in of], color=k)
        for k, (name, of) in enumerate(outcome.samples.items(), start=1)
    ]


def _rates(outcome: Outcome) -> list[Series]:
    x = [rate.at_s for rate in outcome.rates]
    results: list[float | None] = [rate.results_hz for rate in outcome.rates]
    commands: list[float | None] = [rate.commands_hz for rate in outcome.rates]
    return [
        Series(name="results", x=x, y=results, color=1),
        Series(name="commands", x=x, y=commands, color=2),
    ]


def _ages(outcome: Outcome) -> list[Series]:
    x = [rate.at_s for rate in outcome.rates]
    results = [rate.result_age_p95_ms for rate in outcome.rates]
    commands = [rate.command_age_p95_ms for rate in outcome.rates]
    return [
        Series(name="results", x=x, y=results, color=1),
        Series(name="commands", x=x, y=commands, color=2),
    ]


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines_of = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines_of)


def _escaped(text: str) -> str:
    """Escape untrusted text for one line of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
