"""Replays bags with a progress bar: one after another, in processes, or on Ray."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from rich.progress import BarColumn, Progress, TaskID, TimeRemainingColumn

from robot_vision.core.files.foreign import brief
from robot_vision.core.parameters.values import with_values
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.jobs.run_many import (
    remember,
    run_in_processes,
    run_on_ray,
    take_finished,
    threads_per_job,
)
from robot_vision.terminal import Screen, text_column


def run_with_bar(
    jobs: Sequence[Job], *, workers: int, ray: str, resume: bool
) -> list[dict[str, Any]]:
    """Results in the order of `jobs`; the bar shows the remaining time.

    `ray` is the address of a cluster, if any; `resume` reuses results for unchanged inputs.
    """
    order = {job.name: number for number, job in enumerate(jobs)}
    results, to_do = take_finished(jobs) if resume else ([], list(jobs))
    finished_before = len(results)
    columns = (text_column("{task.description}"), BarColumn(), text_column("{task.fields[text]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Screen(stderr=True)) as bar:
        line = bar.add_task("replay", total=len(to_do), text="")
        for result in _results(to_do, workers=workers, ray=ray, bar=bar, line=line):
            remember(jobs[order[result["bag"]]], result)
            results.append(result)
            bar.update(line, completed=len(results) - finished_before)
    return sorted(results, key=lambda result: order[result["bag"]])


def _results(
    jobs: list[Job], *, workers: int, ray: str, bar: Progress, line: TaskID
) -> Iterator[dict[str, Any]]:
    if ray:
        # The cluster's nodes are unknown here; many bags with one thread each fill them.
        return run_on_ray(_with_threads(jobs, 1), address=ray)
    if workers > 1:
        return run_in_processes(_with_threads(jobs, threads_per_job(workers)), workers=workers)
    return _in_turn(jobs, bar=bar, line=line)


def _in_turn(jobs: list[Job], *, bar: Progress, line: TaskID) -> Iterator[dict[str, Any]]:
    for before, job in enumerate(jobs):
        bar.update(line, description=brief(job.name))

        def follow(done: float, text: str, before: int = before) -> None:
            bar.update(line, completed=before + done, text=text)

        yield run_job(job, progress=follow)


def _with_threads(jobs: list[Job], threads: int) -> list[Job]:
    """The jobs with this many threads each, unless the user set the number."""
    return [
        job
        if job.config.threads
        else replace(job, config=with_values(job.config, {"threads": threads}))
        for job in jobs
    ]
