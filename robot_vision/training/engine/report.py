"""Progress display of a run: a bar, and a line per round."""

from time import monotonic
from types import TracebackType
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor

from robot_vision.terminal import Screen
from robot_vision.training.engine.stepping.distributed import rank

# Reading a loss makes the GPU wait.
_READ_EVERY_S = 1.0


@runtime_checkable
class Reporter(Protocol):
    """Receives every step (the part of the run done, its loss on the device), every round
    (its row of the log), and notes for the user."""

    def on_step(self, part: float, loss: Float[Tensor, ""]) -> None: ...

    def on_round(self, row: dict[str, float]) -> None: ...

    def on_note(self, text: str) -> None: ...


class ConsoleReporter:
    """A bar on stderr with loss and time left, lines on stdout; process 0 only."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Screen(stderr=True),
        )
        self._task = self._bar.add_task("training", total=1.0, loss="…")
        self._read_s = -_READ_EVERY_S

    def __enter__(self) -> "ConsoleReporter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def on_step(self, part: float, loss: Float[Tensor, ""]) -> None:
        if rank() != 0:
            return
        self._bar.start()
        self._bar.update(self._task, completed=part)
        if monotonic() - self._read_s >= _READ_EVERY_S:
            self._bar.update(self._task, loss=f"{loss.item():.4g}")
            self._read_s = monotonic()

    def on_round(self, row: dict[str, float]) -> None:
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)

    def on_note(self, text: str) -> None:
        print(text, flush=True)
