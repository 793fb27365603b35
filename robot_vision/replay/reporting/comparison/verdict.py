"""The one table and the one verdict of a replay of any number of bags."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from robot_vision.core.files.figures import write_figures
from robot_vision.core.files.foreign import brief
from robot_vision.terminal import Screen, styled

VERSION = 1
EXIT_STATUS = {"pass": 0, "regression": 1, "failed": 2}
_STYLE = {"pass": "green", "regression": "red", "failed": "red"}
MOST_DRIFTS = 30
MOST_NOTES = 10
_DIGEST_CHARACTERS = 12


def verdict_of(results: Sequence[dict[str, Any]]) -> str:
    """The worst of the bags: "failed" before "regression" before "pass"."""
    worst = max((EXIT_STATUS[result["status"]] for result in results), default=2)
    return next(name for name, status in EXIT_STATUS.items() if status == worst)


def write_json(path: Path, results: Sequence[dict[str, Any]]) -> None:
    """All figures of all bags; raises `OSError` if `path` cannot be written."""
    summary = {"version": VERSION, "verdict": verdict_of(results), "bags": list(results)}
    write_figures(path, summary)


def print_summary(console: Screen, results: Sequence[dict[str, Any]]) -> None:
    """Table, drifts, problems of the inputs, the pipeline's notes, and the verdict."""
    table = Table(box=None, header_style="bold")
    for title in ("bag", "verdict", "frames", "×real time", "tracks", "id switches", "digest"):
        table.add_column(title, justify="left" if title in ("bag", "verdict") else "right")
    # On a narrow screen or in CI's log a long name takes more lines; the digest stays whole.
    table.columns[0].overflow = "fold"
    table.columns[-1].no_wrap, table.columns[-1].min_width = True, _DIGEST_CHARACTERS
    for result in results:
        table.add_row(*_row(result))
    console.print(table)
    for result in results:
        _print_details(console, result)
    verdict = verdict_of(results)
    console.print(styled(verdict, f"bold {_STYLE[verdict]}"))


def _row(result: dict[str, Any]) -> tuple[str | Text, ...]:
    status = styled(result["status"], _STYLE[result["status"]])
    name = brief(result["bag"])
    if "figures" not in result:
        return (name, status, "–", "–", "–", "–", "–")
    figures, run = result["figures"], result["run"]
    return (
        name,
        status,
        f"{figures['frames']}",
        f"{run['times_real_time']:.1f}",
        f"{len(figures['tracks'])}",
        f"{len(figures['id_switches'])}",
        figures["digest"][:_DIGEST_CHARACTERS],
    )


def _print_details(console: Screen, result: dict[str, Any]) -> None:
    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    name = result["bag"]
    if result["error"]:
        say(f"{name}: {result['error']}")
    for drift in result["drifts"][:MOST_DRIFTS]:
        where = f", {drift['where']}" if drift["where"] else ""
        say(
            f"{name}: {drift['figure']}: {drift['expected']} became {drift['actual']} "
            f"(tolerance {drift['tolerance']}){where}"
        )
    if len(result["drifts"]) > MOST_DRIFTS:
        say(f"{name}: and {len(result['drifts']) - MOST_DRIFTS} more drifts, see the JSON")
    for kind, seen in result.get("input", {}).get("problems", {}).items():
        say(f"{name}: {kind} ({seen['count']}×), first: {seen['first']}")
    notes = Counter(result.get("figures", {}).get("notes", {}))
    for note, count in notes.most_common(MOST_NOTES):
        say(f"{name}: {note} ({count} of {result['figures']['frames']} frames)")
    if len(notes) > MOST_NOTES:
        say(f"{name}: and {len(notes) - MOST_NOTES} more notes, see the JSON")
    for why, count in result.get("run", {}).get("dropped", {}).items():
        say(f"{name}: {count} of {result['run']['read']} frames dropped: {why}")
