"""The expert's episodes, seen through the simulated cameras, as a dataset of demonstrations."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.types import Frame
from robot_vision.datasets.lerobot.sample import Sample, step_between
from robot_vision.datasets.lerobot.schema import ActionConvention, CameraFormat, DatasetFormat
from robot_vision.demonstrations.writing.writer import DatasetWriter, DiskLimits
from robot_vision.simulation.palette import Split
from robot_vision.simulation.robot.arms import SEVEN
from robot_vision.simulation.robot.episode import PERIOD_S, STEP_S, Noise, run_expert
from robot_vision.simulation.robot.phrases import instruct
from robot_vision.simulation.robot.task import KINDS, Kind, Task
from robot_vision.simulation.robot.tasks import build_task_world
from robot_vision.simulation.robot.world import RobotWorld

FPS = round(1 / PERIOD_S)
# The row of the expert's plan at which the next sample is taken.
_ROW = round(PERIOD_S / STEP_S) - 1
# No camera has a stamp of 0.
_START_NS = NS_PER_S


def demonstrate(
    out: Path,
    *,
    episodes: int,
    seed: int,
    split: Split,
    kind: Kind | None = None,
    noise: Noise,
    wrist: bool = True,
    limits: DiskLimits | None = None,
    on_progress: Callable[[int], object] = lambda _: None,
) -> int:
    """Append `episodes` of the expert to the dataset at `out`; returns how many succeeded.

    Episodes that fail are kept and marked. What is drawn depends on seed and episode number
    alone. Raises `DatasetError` where the dataset has another form, or there is no room.
    """
    succeeded = 0
    with DatasetWriter(out, _format(wrist=wrist), limits=limits) as writer:
        for number in range(writer.episodes, writer.episodes + episodes):
            rng = np.random.default_rng([seed, number])
            chosen = kind or KINDS[number % len(KINDS)]
            world, task = build_task_world(rng, split=split, kind=chosen)
            with world:
                writer.begin(instruct(task, rng))
                success = _record(writer, world, task, rng, noise, wrist=wrist)
                writer.end(success=success)
            succeeded += success
            on_progress(number)
    return succeeded


def _record(
    writer: DatasetWriter,
    world: RobotWorld,
    task: Task,
    rng: np.random.Generator,
    noise: Noise,
    *,
    wrist: bool,
) -> bool:
    before = world.base_from_tool
    for tick in run_expert(world, task, rng=rng, noise=noise):
        if tick.done:
            return tick.success
        after = tick.base_from_target[_ROW]
        stamp_ns = _START_NS + round(tick.time_s * NS_PER_S)
        frames = dict(_frames(world, stamp_ns, wrist=wrist))
        poses = {"front": world.base_from_camera}
        if wrist:
            poses["wrist"] = world.base_from_wrist_camera
        writer.add(
            Sample(
                stamp_ns=stamp_ns,
                frames=frames,
                robot=world.state(stamp_ns),
                action=step_between(before, after, float(tick.gripper_open[_ROW])),
                base_from_target=after,
                base_from_camera=poses,
            )
        )
        before = after
    raise AssertionError("the expert ends with a last tick")


def _frames(world: RobotWorld, stamp_ns: int, *, wrist: bool) -> Iterator[tuple[str, Frame]]:
    yield "front", world.frame(stamp_ns)
    if wrist:
        yield "wrist", world.wrist_frame(stamp_ns)


def _format(*, wrist: bool) -> DatasetFormat:
    sizes_px = {"front": (416, 320)} | ({"wrist": (208, 160)} if wrist else {})
    return DatasetFormat(
        fps=FPS,
        robot_type="robot_vision simulated arm",
        joint_names=SEVEN.joint_names,
        cameras=tuple(
            CameraFormat(
                name=name,
                width_px=width_px,
                height_px=height_px,
                depth_width_px=width_px,
                depth_height_px=height_px,
            )
            for name, (width_px, height_px) in sizes_px.items()
        ),
        action=ActionConvention(source="expert"),
    )
