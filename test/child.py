"""Code run in a process of its own, with bounded memory and time, where bombs do no harm."""

import subprocess
import sys
from dataclasses import dataclass

_PRELUDE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
arguments = sys.argv[1:]
def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
"""
_CODA = """
print("grown_mb", peak_mb() - before_mb)
"""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What the child printed, and by how much its memory grew after it set `before_mb`."""

    lines: list[str]
    grown_mb: int


def run_child(code: str, *arguments: object, limit_s: float = 60, limit_gb: float = 2.5) -> Done:
    """Run `code`, which sets `before_mb = peak_mb()` once it has imported what it needs."""
    script = _PRELUDE.format(limit=round(limit_gb * 1e9)) + code + _CODA
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    assert done.returncode == 0, f"status {done.returncode}: {done.stderr[-3000:]}"
    *lines, last = done.stdout.splitlines()
    return Done(lines=lines, grown_mb=int(last.split()[1]))
