"""What a run tells the person who watches it: a bar, and a line a round."""

from types import TracebackType
from typing import Protocol, runtime_checkable

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from robot_vision.terminal import Screen
from robot_vision.training.engine.distributed import rank


@runtime_checkable
class Reporter(Protocol):
    """Told of every step (the part of the run done) and of every round (its row of the log)."""

    def on_step(self, part: float) -> None: ...

    def on_round(self, row: dict[str, float]) -> None: ...


class ConsoleReporter:
    """A bar on stderr and lines on stdout, from process 0 only; a context manager."""

    def __init__(self) -> None:
        columns = (TextColumn("training"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=Screen(stderr=True))
        self._task = self._bar.add_task("training", total=1.0)

    def __enter__(self) -> "ConsoleReporter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def on_step(self, part: float) -> None:
        if rank() == 0:
            self._bar.start()
            self._bar.update(self._task, completed=part)

    def on_round(self, row: dict[str, float]) -> None:
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
