"""Memory of a bundle: a separate process loads and runs it, and prints megabytes."""

import sys
from pathlib import Path

from robot_vision.backends import load_backend
from robot_vision.backends.contract import blank_inputs
from robot_vision.model_store.store import find_bundle

_KILOBYTES_PER_MB = 1024


def main(folder: str, threads: str) -> None:
    bundle = find_bundle(Path(folder))
    inputs = blank_inputs(bundle.manifest)
    before_mb = _memory_mb("VmRSS")
    backend = load_backend(bundle, device="cpu", threads=int(threads))
    for _ in range(3):
        backend.run(inputs)
    print(_memory_mb("VmHWM") - before_mb)


def _memory_mb(field: str) -> float:
    """As reported by Linux for this program. `ru_maxrss` would include the parent process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return float(value.split()[0]) / _KILOBYTES_PER_MB
    raise RuntimeError(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    main(*sys.argv[1:])
