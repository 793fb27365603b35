"""A run's memory by phase, for judging whether a larger batch or model fits."""

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

    Reading them takes a moment, so the loop measures only the first step of each round.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.is_watching = True
        self.peak_mb: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure a block, if measuring is on."""
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
            _CLEAR.write_text("5")  # reset the peak of resident memory: proc(5)
        except OSError:  # not permitted: peaks are then those of the process so far
            return

    def _peak_mb(self) -> float:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / 1e6
        return _resident_peak_mb()

    def report(self) -> dict[str, object]:
        """The content of `memory.json`."""
        on_gpu = self._device.type == "cuda"
        return {
            "device": torch.cuda.get_device_name(self._device) if on_gpu else "cpu",
            "measured": "tensors on the GPU" if on_gpu else "resident memory of the process",
            "peak_mb": {n: round(self.peak_mb[n], 1) for n in PHASES if n in self.peak_mb},
        }

    def save(self, file: Path) -> None:
        file.write_text(json.dumps(self.report(), indent=1) + "\n")

    def summary(self) -> str:
        """A one-line summary."""
        peaks = ", ".join(f"{n} {self.peak_mb[n]:.0f}" for n in PHASES if n in self.peak_mb)
        return f"peak memory in MB: {peaks}"


def _resident_peak_mb() -> float:
    """Peak of resident memory; 0 if the system does not report it (not Linux)."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1.024e-3 for line in lines if line[:6] == "VmHWM:"), 0.0)
