"""Energy of the processor, where the machine reports it: RAPL below /sys/class/powercap."""

from collections.abc import Callable
from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")


def energy_mj(run: Callable[[], object], *, times: int, root: Path = _POWERCAP) -> float | None:
    """Millijoules of all packages per run, idle share included; None if unknown.

    The energy of other work of the machine in that time is included.
    """
    packages = [_Package(folder) for folder in sorted(root.glob("intel-rapl:[0-9]*"))]
    packages = [package for package in packages if package.is_whole]
    if not packages:
        return None
    try:
        before_uj = [package.read_uj() for package in packages]
        for _ in range(times):
            run()
        spent_uj = [p.since_uj(start) for p, start in zip(packages, before_uj, strict=True)]
    except (OSError, ValueError):  # only root may read it on many machines
        return None
    return sum(spent_uj) / times / 1000


class _Package:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def is_whole(self) -> bool:
        """Parts of a package (cores, uncore) are part of its count."""
        return self._folder.name.count(":") == 1

    def read_uj(self) -> int:
        return int((self._folder / "energy_uj").read_text())

    def since_uj(self, start_uj: int) -> int:
        """The counter wraps around at its maximum."""
        spent_uj = self.read_uj() - start_uj
        if spent_uj < 0:
            spent_uj += int((self._folder / "max_energy_range_uj").read_text())
        return spent_uj
