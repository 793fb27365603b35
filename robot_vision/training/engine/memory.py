"""How much memory a run takes, by phase: what to look at before a larger batch or model."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

PHASES = ("data", "forward", "backward", "optimizer", "evaluation")
_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class Memory:
    """Peaks by phase, in MB: of tensors on a GPU, of the whole process on a CPU.

    Reading them takes a moment: the loop watches the first step of each round only.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.is_watching = True
        self.peak_mb: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure what a block takes, where it is watched."""
        if not self.is_watching:
            yield
            return
        self._begin()
        yield
        self.peak_mb[name] = max(self.peak_mb.get(name, 0.0), self._peak_mb())

    def _begin(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return
        try:
            _CLEAR.write_text("5")  # the peak of resident memory starts anew: proc(5)
        except OSError:  # not allowed here: peaks are then those of the process so far
            return

    def _peak_mb(self) -> float:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / 1e6
        return _resident_peak_mb()

    def report(self) -> dict[str, object]:
        """What `memory.json` holds."""
        on_gpu = self._device.type == "cuda"
        return {
            "device": torch.cuda.get_device_name(self._device) if on_gpu else "cpu",
            "measured": "tensors on the GPU" if on_gpu else "resident memory of the process",
            "peak_mb": {n: round(self.peak_mb[n], 1) for n in PHASES if n in self.peak_mb},
        }

    def save(self, file: Path) -> None:
        file.write_text(json.dumps(self.report(), indent=1) + "\n")

    def summary(self) -> str:
        """One line for a person."""
        peaks = ", ".join(f"{n} {self.peak_mb[n]:.0f}" for n in PHASES if n in self.peak_mb)
        return f"peak memory in MB: {peaks}"


def _resident_peak_mb() -> float:
    """Peak of resident memory; 0 where the system does not say (no Linux)."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1.024e-3 for line in lines if line[:6] == "VmHWM:"), 0.0)
