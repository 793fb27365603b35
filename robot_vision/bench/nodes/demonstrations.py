"""`bench demonstrations`: the cost of recording an episode on a robot, and of reading it in
training."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np

from robot_vision.bench.stages import percentiles_ms
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.types import Frame, RobotState
from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.datasets.lerobot.form.schema import CameraFormat, DatasetFormat
from robot_vision.datasets.lerobot.sample import Sample, step_between
from robot_vision.demonstrations.writing.disk_room import DiskLimits
from robot_vision.demonstrations.writing.writer import DatasetWriter
from robot_vision.machine import describe_machine

_FPS = 30
_CAMERA = "front"
_JOINTS = tuple(f"joint{number}" for number in range(1, 8))


def bench_demonstrations(frames: Sequence[Frame], *, count: int) -> dict[str, Any]:
    """Record `count` frames as one episode and read them back: processor time and bytes.

    With depth if the first of `frames` has any.
    """
    rows: dict[str, list[float]] = {}

    def timed(stage: str, work: Callable[[], object]) -> None:
        before_s = process_time()
        work()
        rows.setdefault(stage, []).append((process_time() - before_s) * 1e3)

    with TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        limits = DiskLimits(min_free_bytes=0)
        with DatasetWriter(root, _form(frames[0]), limits=limits) as writer:
            writer.begin("bench")
            for sample in _samples(frames, count=count):
                timed("record a frame", lambda sample=sample: writer.add(sample))
            timed("end the episode", lambda: writer.end(success=True))
        with Dataset(root) as dataset:
            anywhere = random.Random(0).sample(range(count), count)  # noqa: S311 - no secret
            for stage, order in (("in order", range(count)), ("at random", anywhere)):
                for number in order:
                    timed(f"read a step {stage}", lambda number=number: dataset.step(0, number))
        kilobytes = {
            suffix: sum(file.stat().st_size for file in root.rglob(f"*{suffix}")) / 1e3
            for suffix in (".mp4", ".parquet")
        }
    return {
        "bench": "demonstrations",
        "machine": describe_machine(),
        "image": f"{frames[0].rgb.shape[1]}×{frames[0].rgb.shape[0]}",
        "depth": frames[0].depth_m is not None,
        "frames": count,
        "video_kb_per_frame": round(kilobytes[".mp4"] / count, 2),
        "depth_and_numbers_kb_per_frame": round(kilobytes[".parquet"] / count, 2),
        "stage_ms": percentiles_ms(
            {stage: milliseconds} for stage, values in rows.items() for milliseconds in values
        ),
    }


def _form(frame: Frame) -> DatasetFormat:
    height_px, width_px = frame.rgb.shape[:2]
    depth_height_px, depth_width_px = (0, 0) if frame.depth_m is None else frame.depth_m.shape
    camera = CameraFormat(
        name=_CAMERA,
        width_px=width_px,
        height_px=height_px,
        depth_width_px=depth_width_px,
        depth_height_px=depth_height_px,
    )
    return DatasetFormat(fps=_FPS, robot_type="bench", joint_names=_JOINTS, cameras=(camera,))


def _samples(frames: Sequence[Frame], *, count: int) -> Iterator[Sample]:
    """Samples of an arm at rest, with the frames played forwards and backwards so that pictures
    never jump."""
    there_and_back = [*frames, *frames[-2:0:-1]]
    still = np.eye(4)
    for number in range(count):
        frame = there_and_back[number % len(there_and_back)]
        stamp_ns = (number + 1) * NS_PER_S // _FPS
        robot = RobotState(
            stamp_ns=stamp_ns,
            joint_position_rad=np.zeros(len(_JOINTS)),
            base_from_tool=still,
            gripper_open=1.0,
        )
        yield Sample(
            stamp_ns=stamp_ns,
            frames={_CAMERA: replace(frame, stamp_ns=stamp_ns, depth_stamp_ns=None)},
            robot=robot,
            action=step_between(still, still, 1.0),
            base_from_target=still,
        )
