"""Runs rendering and simulation jobs in single-threaded processes."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from threading import Thread
from typing import TypeVar

from robot_vision.core.errors import WorkerError
from robot_vision.core.files.code_permission import code_is_permitted, permit_code
from robot_vision.threads import leave_cores_to_models

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")
_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LP_NUM_THREADS")


def run_jobs(
    work: Callable[[JobT], ResultT], jobs: Sequence[JobT], *, processes: int
) -> Iterator[ResultT]:
    """Yield results as they arrive; `work` is a module-level function. One process means this
    one."""
    processes = min(processes, len(jobs))
    if processes <= 1:
        yield from map(work, jobs)
        return
    # spawn: a forked process would share the parent's GL state
    context = multiprocessing.get_context("spawn")
    before = {name: os.environ.get(name) for name in _LIMITS}
    os.environ.update(dict.fromkeys(_LIMITS, "1"))  # read when a child first loads the libraries
    try:
        with ProcessPoolExecutor(
            processes,
            mp_context=context,
            initializer=_begin_worker,
            initargs=(code_is_permitted(),),
        ) as pool:
            futures = [pool.submit(work, job) for job in jobs]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BrokenProcessPool as error:
                raise WorkerError from error
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _begin_worker(permitted: bool) -> None:
    permit_code(permitted)
    leave_cores_to_models()
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent cannot notify its workers, which would wait for jobs forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
