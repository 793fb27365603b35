"""What `robot-vision demonstrations study` prints: an overview of an unfamiliar dataset."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Column, Table

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.disk import writing_to
from robot_vision.core.files.foreign import brief
from robot_vision.datasets.meaning.asking.draft import read_draft
from robot_vision.datasets.meaning.asking.skeleton import skeleton
from robot_vision.datasets.meaning.asking.study import ColumnStudy, Study, study
from robot_vision.datasets.open_dataset import open_dataset
from robot_vision.terminal import Screen, say

_MOST_ROWS = 100
_MOST_INSTRUCTIONS = 10


def run_study(dataset: Path, *, meaning: Path | None, write: Path | None, fps: float) -> int:
    """Print the study, and write the file to fill in; the exit status: 1 for errors."""
    if write is not None and write.exists():
        raise ConfigError(f"{write} already exists: choose another file, or move it away")
    said = read_draft(meaning) if meaning else {}
    episodes = open_dataset(dataset, fps=fps)
    try:
        found = study(episodes, said, of=str(dataset))
    finally:
        episodes.close()
    _show(found, dataset)
    if write is not None:
        with writing_to(write):
            write.parent.mkdir(parents=True, exist_ok=True)
            write.write_text(skeleton(found, of=str(dataset)), encoding="utf-8")
        say(f"written: {write}; fill in the empty fields, and study again with --meaning {write}")
    errors = [finding for finding in found.findings if finding.level == "error"]
    return 1 if found.missing or errors else 0


def _show(found: Study, dataset: Path) -> None:
    rate = f"{found.rate_hz:g} Hz" + ("" if found.says_rate else " (assumed: the set has no rate)")
    seconds = found.steps / found.rate_hz
    say(f"{dataset}: {found.episodes} episodes, {found.steps} steps, {seconds:.1f} s at {rate}")
    if found.successes or found.failures:
        say(f"{found.successes} episodes are marked as successes, {found.failures} as failures")
    for line in _instructions(found.instructions):
        say(line)
    console = Screen()
    console.print(_cameras(found))
    for title, columns in (("action", found.action), ("state", found.state)):
        console.print(_table(title, columns) if columns else f"{title}: none in the set")
    for line in _conclusions(found):
        say(line)


def _instructions(instructions: Sequence[str]) -> Iterator[str]:
    yield f"instructions: {len(instructions)} wordings" if instructions else "instructions: none"
    yield from (f"  {brief(words)}" for words in instructions[:_MOST_INSTRUCTIONS])
    if len(instructions) > _MOST_INSTRUCTIONS:
        yield f"  and {len(instructions) - _MOST_INSTRUCTIONS} more"


def _cameras(found: Study) -> Table:
    table = Table(Column("camera", no_wrap=True), "size", "depth")
    for camera in found.cameras:
        size = f"{camera.width_px}x{camera.height_px}"
        size = brief(camera.fault, most=80) if camera.fault else size
        table.add_row(brief(camera.name), size, "yes" if camera.has_depth else "no")
    return table


def _table(title: str, columns: Sequence[ColumnStudy]) -> Table:
    right = [Column(name, justify="right") for name in ("least", "1 %", "99 %", "most", "NaN")]
    table = Table(Column(title, justify="right"), Column("name", no_wrap=True), *right)
    for column in columns[:_MOST_ROWS]:
        ends = (column.least, column.low, column.high, column.most)
        numbers = [f"{value:.3g}" for value in ends]
        table.add_row(str(column.number), brief(column.name), *numbers, str(column.not_finite))
    return table


def _conclusions(found: Study) -> Iterator[str]:
    yield from (f"reader's remark: {remark}" for remark in found.remarks)
    if found.missing:
        yield "the meaning of some numbers is missing:"
        yield from (f"  {line}" for line in found.asked)
    if found.is_guess and found.findings:
        yield "with the suggested meaning, the data show:"
    for finding in found.findings:
        yield f"{finding.level} [{finding.code}] {finding.text}"
    if not found.missing and not found.findings:
        yield "the meaning of all numbers is known, and the data do not contradict it"
    elif not found.missing and all(f.level == "remark" for f in found.findings):
        yield "the meaning of all numbers is known, and the data are consistent with it"
