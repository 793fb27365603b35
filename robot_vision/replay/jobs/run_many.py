"""Many bags: one process each on this machine, or one task each on a Ray cluster.

A bag that fails, or crashes its process, is a line in the table; the others continue.
"""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from robot_vision.core.errors import MissingDependencyError
from robot_vision.core.files.code_permission import code_is_permitted, permit_code
from robot_vision.core.parameters.config import MODEL_PARAMETERS
from robot_vision.replay.jobs.job import Job, run_job

OnResult = Callable[[dict[str, Any]], None]


def run_in_processes(jobs: Sequence[Job], *, workers: int) -> Iterator[dict[str, Any]]:
    """Yield results as they arrive, `workers` bags at a time, each in a fresh process."""
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(_in_process, job) for job in jobs]
        for future in as_completed(futures):
            yield future.result()


def run_on_ray(jobs: Sequence[Job], *, address: str) -> Iterator[dict[str, Any]]:
    """Yield results as they arrive from the Ray cluster at `address` ("local" starts one here).

    Every node needs this package and sees the bags and the output folder at the same paths.
    Raises `MissingDependencyError` if Ray is not installed.
    """
    try:
        import ray
        from ray.exceptions import RayError
    except ImportError as error:
        raise MissingDependencyError(
            "--ray needs Ray: pip install 'robot_vision[ray]', or use --jobs"
        ) from error
    ray.init(address=address, log_to_driver=False)
    try:
        # No retry: a bag that crashes a worker would do so again.
        task = ray.remote(max_retries=0)(_permitted_job)
        permitted = code_is_permitted()
        waiting = {
            task.options(num_cpus=max(job.config.threads, 1)).remote(job, permitted): job
            for job in jobs
        }
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            job = waiting.pop(ready)
            try:
                yield ray.get(ready)
            except RayError as error:
                yield failed(job, f"Ray: {str(error).splitlines()[0]}")
    finally:
        ray.shutdown()


def take_finished(jobs: Iterable[Job]) -> tuple[list[dict[str, Any]], list[Job]]:
    """Results of earlier runs with the same bag, model and options; and the jobs still to do."""
    results, to_do = [], []
    for job in jobs:
        result = _finished(job)
        if result is None:
            to_do.append(job)
        else:
            results.append(result)
    return results, to_do


def remember(job: Job, result: dict[str, Any]) -> None:
    """Store beside the bag's outputs what they were made from, for `take_finished`."""
    if job.out is not None and result["status"] != "failed":
        (job.out / "made_from").write_text(fingerprint(job))


def fingerprint(job: Job) -> str:
    """A hash of the bag's files, the model's files, the golden file and the options."""
    from robot_vision.model_store.store import find_bundle

    digest = sha256(repr((job.run, job.bag, job.images, job.points, job.tracks_format)).encode())
    digest.update(job.config.model_dump_json().encode())
    for parameter in MODEL_PARAMETERS:
        if name := getattr(job.config, parameter):
            digest.update(find_bundle(name).manifest.model_dump_json().encode())
    for path in (job.path, job.golden):
        for file in _files(path):
            about = file.stat()
            digest.update(os.fsencode(f"{file}{about.st_size}{about.st_mtime_ns}"))
    return digest.hexdigest()


def failed(job: Job, error: str) -> dict[str, Any]:
    """The result of a job that could not report its failure itself."""
    return {
        "bag": job.name,
        "path": str(job.path),
        "status": "failed",
        "error": error,
        "drifts": [],
        "wall_s": 0.0,
    }


def threads_per_job(workers: int) -> int:
    """Threads per job when `workers` jobs share this machine."""
    return max((os.cpu_count() or 1) // workers, 1)


def _finished(job: Job) -> dict[str, Any] | None:
    if job.out is None:
        return None
    try:
        if (job.out / "made_from").read_text() == fingerprint(job):
            return json.loads((job.out / "summary.json").read_text())
    except (OSError, ValueError):
        return None
    return None


def _files(path: Path | None) -> list[Path]:
    if path is None or not path.exists():
        return []
    return sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]


def _in_process(job: Job) -> dict[str, Any]:
    """Run in a separate process, so that a crash of a native library costs one bag."""
    with TemporaryDirectory() as folder:
        result_file = Path(folder) / "result.json"
        # spawn: a fork would copy the locks of this process's threads
        process = multiprocessing.get_context("spawn").Process(
            target=_child, args=(job, result_file, code_is_permitted()), name=job.name
        )
        process.start()
        process.join()
        try:
            return json.loads(result_file.read_text())
        except (OSError, ValueError):
            return failed(job, f"its process ended with exit code {process.exitcode}")


def _child(job: Job, result_file: Path, permitted: bool) -> None:
    result = _permitted_job(job, permitted)
    result.pop("thumbnails", None)
    result_file.write_text(json.dumps(result))


def _permitted_job(job: Job, permitted: bool) -> dict[str, Any]:
    """Run in a separate process, with the permission given on the command line."""
    permit_code(permitted)
    return run_job(job)
