"""Peak memory to load and run a network, measured in a separate process.

Run as a program, this module is that process: it prints the bytes above those of its imports.
"""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from robot_vision.core.errors import BundleError

_LIMIT_S = 600
_RUNS = 3


def peak_bytes(engine: str, asked: dict[str, Any], *, network: str, threads: int) -> int:
    """`asked` are the arguments of `open_target` as JSON.

    Raises `BundleError` if the process ends without an answer.
    """
    order = {"engine": engine, "asked": asked, "network": network, "threads": threads}
    try:
        ended = subprocess.run(
            [sys.executable, "-m", __name__, json.dumps(order)],
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"memory of {network}: no answer within {_LIMIT_S} s") from error
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise BundleError(f"memory of {network}: its process ended by {last[0][:200]}")
    return int(ended.stdout.split()[-1])


def _measure(order: dict[str, Any]) -> int:
    from tempfile import TemporaryDirectory

    from robot_vision.models.card import Size
    from robot_vision.profiling.engines import open_engines
    from robot_vision.profiling.targets import open_target

    asked = dict(order["asked"])
    if asked.get("size"):
        asked["size"] = Size(**asked["size"])
    with TemporaryDirectory(prefix="robot_vision-memory-") as folder:
        _forget_peak()
        before = _status_bytes("VmRSS")
        target = open_target(folder=Path(folder), **asked)
        (network,) = (one for one in target.networks if one.name == order["network"])
        engines, missing = open_engines(network, [order["engine"]], threads=order["threads"])
        if missing:
            raise BundleError(missing[0].why)
        run = engines[0].prepared(network.inputs)
        for _ in range(_RUNS):
            run()
        return _status_bytes("VmHWM") - before


def _forget_peak() -> None:
    """Reset the peak: that of the imports does not belong to the network."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise BundleError(f"/proc/self/status has no {field}: peaks are measured on Linux only")


if __name__ == "__main__":
    print(_measure(json.loads(sys.argv[1])))
