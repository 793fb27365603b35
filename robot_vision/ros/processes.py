"""Child processes that speak ROS 2 with each other and with nobody else."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_DOMAINS = 100
_END_S = 5.0


def use_private_domain() -> int:
    """Keep this process and its children among themselves, unless the user chose a domain."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", str(os.getpid() % _DOMAINS + 1))
    return int(os.environ["ROS_DOMAIN_ID"])


@contextmanager
def child(module: str, *arguments: str, log: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """`python -m module arguments` while the block runs; its output goes to the file `log`."""
    command = [sys.executable, "-m", module, *arguments]
    with open(log or os.devnull, "w", encoding="utf-8") as output:  # noqa: PTH123
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True)
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
