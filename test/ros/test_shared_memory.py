"""Shared memory of killed processes goes at the next start; that of living ones stays."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep, time

import pytest

from robot_vision.ros.middleware.dds_profile import PROFILE_VARIABLES
from robot_vision.ros.middleware.shared_memory import clean_shared_memory

pytestmark = pytest.mark.ros

SHM = Path("/dev/shm")
SEGMENT = "fastrtps_0123456789abcdef"
PARTICIPANT = """
import sys
from robot_vision.ros.middleware.dds_profile import use_shared_memory_profile
use_shared_memory_profile()
import rclpy
rclpy.init()
node = rclpy.create_node("victim")
print("up", flush=True)
sys.stdin.read()
"""


@contextmanager
def participant() -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A process with a node, and its segment."""
    environment = os.environ | {"ROS_DOMAIN_ID": str(os.getpid() % 90 + 10)}
    for name in PROFILE_VARIABLES:
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-c", PARTICIPANT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process, segment_of(process.pid)
    finally:
        process.kill()
        process.communicate()


def segment_of(pid: int) -> Path:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        name = link.readlink().name
        if (
            name.startswith(("fastrtps_", "fastdds_"))
            and "port" not in name
            and name.endswith("_el")
        ):
            return SHM / name.removesuffix("_el")
    raise AssertionError("no segment: is shared memory in use?")


def test_a_killed_process_is_cleaned_up_after_and_a_living_one_is_not() -> None:
    said: list[str] = []
    with participant() as (victim, left), participant() as (_, used):
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        assert left.stat().st_size > 64 * 2**20
        os.utime(left.with_name(left.name + "_el"))  # the other process may take long to start
        clean_shared_memory(log=said.append)
        assert left.exists(), "a process that has just begun is left alone"
        said.clear()
        clean_shared_memory(log=said.append, youngest_s=0.0)
        assert not left.exists()
        assert not left.with_name(left.name + "_el").exists()
        assert used.exists()
        assert used.with_name(used.name + "_el").exists()
    assert len(said) == 1
    assert "removed shared memory of processes that were killed: " in said[0]


def test_a_stopped_process_keeps_its_segment() -> None:
    with participant() as (stopped, used):
        stopped.send_signal(signal.SIGSTOP)
        clean_shared_memory(log=lambda _: None, youngest_s=0.0)
        assert used.exists()


def test_a_node_that_starts_cleans_and_says_so(tmp_path: Path) -> None:
    with participant() as (victim, left):
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    lock = left.with_name(left.name + "_el")
    os.utime(lock, (time() - 60, time() - 60))
    environment = os.environ | {"ROS_DOMAIN_ID": str(os.getpid() % 90 + 10)}
    recording = subprocess.run(
        [
            *(sys.executable, "-m", "robot_vision", "record", str(tmp_path / "a")),
            *("--duration", "0.1"),
        ],
        capture_output=True,
        text=True,
        env=environment,
        timeout=180,
    )
    assert "removed shared memory of processes that were killed" in recording.stderr
    assert not left.exists()
    deadline_s = monotonic() + 30
    while lock.exists() and monotonic() < deadline_s:
        sleep(0.01)
    assert not lock.exists()


def leave(folder: Path, name: str = SEGMENT) -> tuple[Path, Path]:
    """What a killed process leaves, an hour ago."""
    segment, lock = folder / name, folder / f"{name}_el"
    for path in (segment, lock):
        path.write_bytes(b"")
        os.utime(path, (time() - 3600, time() - 3600))
    return segment, lock


@pytest.mark.parametrize("name", [SEGMENT, SEGMENT.replace("rtps", "dds")])
def test_a_segment_whose_lock_is_held_stays(tmp_path: Path, name: str) -> None:
    segment, lock = leave(tmp_path, name)
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        clean_shared_memory(log=lambda _: None, folder=tmp_path)
        assert segment.exists()
    clean_shared_memory(log=lambda _: None, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("which", [0, 1])
def test_another_users_are_left_alone(tmp_path: Path, which: int) -> None:
    files = leave(tmp_path)
    os.chown(files[which], 12345, 12345)
    clean_shared_memory(log=lambda _: None, folder=tmp_path)
    assert files[0].exists()
    assert files[1].exists()


def test_links_and_other_names_are_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / f"{SEGMENT}_el").symlink_to(precious)
    for name in ("fastrtps_port7410_el", "fastrtps_port7410", "sem.fastrtps_port7410_mutex"):
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "fastrtps_ffffffffffffffff_el")
    before = sorted(tmp_path.iterdir())
    clean_shared_memory(log=lambda _: None, folder=tmp_path, youngest_s=0.0)
    assert sorted(tmp_path.iterdir()) == before
    clean_shared_memory(log=lambda _: None, folder=tmp_path / "not there")
