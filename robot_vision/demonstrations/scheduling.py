"""Keeps threads where they were: an encoder must not go before a robot's commands."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TASKS = Path("/proc/self/task")


@contextmanager
def scheduled_as_before() -> Iterator[None]:
    """Whatever is done within leaves every thread's scheduling as it was, new ones' as ours.

    SVT-AV1, where it runs as root, puts the thread that opens it and all of its own at the
    highest real-time priority. Does nothing where the system has no /proc.
    """
    before = {task: _scheduling(task) for task in _tasks()}
    ours = _scheduling(0) if before else None
    try:
        yield
    finally:
        for task in _tasks():
            wanted = before.get(task, ours)
            with suppress(ProcessLookupError):  # a thread that has ended meanwhile
                if wanted is not None and _scheduling(task) != wanted:
                    policy, priority = wanted
                    os.sched_setscheduler(task, policy, os.sched_param(priority))


def _tasks() -> list[int]:
    return [int(task.name) for task in _TASKS.iterdir()] if _TASKS.is_dir() else []


def _scheduling(task: int) -> tuple[int, int] | None:
    """Policy and priority of a thread (0: this one), None if it has ended."""
    with suppress(ProcessLookupError):
        return os.sched_getscheduler(task), os.sched_getparam(task).sched_priority
    return None
