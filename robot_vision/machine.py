"""The machine a figure was measured on: without it the figure means little."""

import os
import platform
from importlib import metadata
from pathlib import Path


def describe_machine() -> dict[str, str]:
    """Processor, cores, load, operating system and the versions that matter."""
    load = os.getloadavg()[0]
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load_1min": f"{load:.2f}",
        "system": platform.platform(),
        "python": platform.python_version(),
        **{f"{name}": metadata.version(name) for name in ("numpy", "onnxruntime") if _has(name)},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _has(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
