"""How much memory a bundle takes: a process of its own loads and runs it, and prints megabytes."""

import resource
import sys
from pathlib import Path

from robot_vision.backends import load_backend
from robot_vision.backends.contract import blank_inputs
from robot_vision.model_store.store import find_bundle


def main(folder: str, threads: str) -> None:
    bundle = find_bundle(Path(folder))
    inputs = blank_inputs(bundle.manifest)
    before_mb = _resident_mb()
    backend = load_backend(bundle, device="cpu", threads=int(threads))
    for _ in range(3):
        backend.run(inputs)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before_mb)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main(*sys.argv[1:])
