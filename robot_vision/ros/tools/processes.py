"""Child processes that communicate over ROS 2 with each other only."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Domains whose ports lie below those that Linux hands out to clients.
_DOMAINS = range(1, 100)
_FIRST_PORT, _PORTS_PER_DOMAIN = 7400, 250
_END_S = 5.0


def use_private_domain() -> int:
    """Isolate this process and its children, unless the user chose a domain."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if "ROS_DOMAIN_ID" not in os.environ:
        os.environ["ROS_DOMAIN_ID"] = str(free_domain())
    return int(os.environ["ROS_DOMAIN_ID"])


def free_domain() -> int:
    """A ROS domain that is free on this machine: none of its UDP ports is bound."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    ports = [int(line.split()[1].rpartition(":")[2], 16) for line in lines]
    used = {(port - _FIRST_PORT) // _PORTS_PER_DOMAIN for port in ports}
    free = [domain for domain in _DOMAINS if domain not in used]
    return random.choice(free)  # noqa: S311 - no secret


@contextmanager
def child(module: str, *arguments: str, log: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """`python -m module arguments` while the block runs; its output goes to the file `log`."""
    command = [sys.executable, "-m", module, *arguments]
    with Path(log or os.devnull).open("w", encoding="utf-8") as output:
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
