"""Work in other processes: all of it comes back, and no process outlives who asked for it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from robot_vision.core.files.code_permission import code_is_permitted, permit_code
from robot_vision.simulation.writing.parallel import run_jobs

_ENDLESS = """
import sys
sys.path.insert(0, sys.argv[1])
from test_parallel import never_ends
from robot_vision.simulation.writing.parallel import run_jobs

if __name__ == "__main__":
    list(run_jobs(never_ends, [sys.argv[2]] * 4, processes=2))
"""


def square(number: int) -> int:
    return number * number


def fails_at_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def never_ends(folder: str) -> None:
    Path(folder, str(os.getpid())).touch()
    time.sleep(1000)


@pytest.mark.parametrize("processes", [1, 2])
def test_every_job_is_done_once(processes: int) -> None:
    assert sorted(run_jobs(square, range(7), processes=processes)) == [n * n for n in range(7)]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_jobs_error_is_the_callers(processes: int) -> None:
    with pytest.raises(ValueError, match="three"):
        list(run_jobs(fails_at_three, range(5), processes=processes))


def test_workers_end_when_who_asked_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(_ENDLESS)
    started = tmp_path / "started"
    started.mkdir()
    command = [sys.executable, str(script), str(Path(__file__).parent), str(started)]
    with subprocess.Popen(command) as asking:
        _until(lambda: len(list(started.iterdir())) == 2, "two workers at work")
        asking.send_signal(signal.SIGKILL)
    workers = [Path("/proc", file.name) for file in started.iterdir()]
    _until(lambda: not any(is_running(worker) for worker in workers), "no worker left")


def is_running(process: Path) -> bool:
    try:
        return process.joinpath("stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _until(condition: Callable[[], bool], what: str, *, limit_s: float = 60.0) -> None:
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, f"not within {limit_s} s: {what}"
        time.sleep(0.05)


def permission_of(_: int) -> bool:
    return code_is_permitted()


@pytest.mark.parametrize("permitted", [False, True])
def test_workers_may_load_what_the_command_line_allows(permitted: bool) -> None:
    permit_code(permitted)
    try:
        assert list(run_jobs(permission_of, [1, 2], processes=2)) == [permitted] * 2
    finally:
        permit_code(False)
