"""The expert's episodes, seen through the simulated cameras, as a dataset of demonstrations.

Each process records an episode; this one adds them to the dataset in order of their numbers, so
the result does not depend on the number of processes, and an interrupted set can be resumed.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from robot_vision import __version__
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.types import Frame
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.files.json_files import read_json
from robot_vision.datasets.lerobot.form.schema import (
    ActionConvention,
    CameraFormat,
    DatasetFormat,
    EpisodeRecord,
)
from robot_vision.datasets.lerobot.sample import Sample, step_between
from robot_vision.demonstrations.writing.disk_room import DiskLimits
from robot_vision.demonstrations.writing.files import write_json
from robot_vision.demonstrations.writing.open_episode import OpenEpisode
from robot_vision.demonstrations.writing.writer import DatasetWriter
from robot_vision.simulation.robot.arms.arms import SEVEN
from robot_vision.simulation.robot.episode import PERIOD_S, STEP_S, run_expert
from robot_vision.simulation.robot.recipe import DemonstrationRecipe, Scene, scene_of
from robot_vision.simulation.robot.world import RobotWorld
from robot_vision.simulation.writing.parallel import run_jobs

FPS = round(1 / PERIOD_S)
# The row of the expert's plan at which the next sample is taken.
ROW = round(PERIOD_S / STEP_S) - 1
TAUGHT_STEPS = 16  # steps of the chunk of corrections, one period each
RECIPE_FILE = Path("meta/robot_vision/generated.json")
_PARTS = Path(".generating")
# No camera has a stamp of 0.
_START_NS = NS_PER_S

# The folder that an episode is recorded into, the recipe, its number.
Job = tuple[Path, DemonstrationRecipe, int]


def demonstrate(
    out: Path,
    recipe: DemonstrationRecipe,
    *,
    episodes: int,
    processes: int = 1,
    limits: DiskLimits | None = None,
    on_progress: Callable[[int], object] = lambda _: None,
    record: Callable[[Job], Path] | None = None,
) -> None:
    """Extend the dataset at `out` to `episodes`; `on_progress` receives the current number.

    Failed episodes are kept and marked. `record`, a module-level function, records an episode
    instead of the expert. Raises `DatasetError` if the dataset has another recipe or format, or
    the disk is full.
    """
    with DatasetWriter(out, form_of(recipe), limits=limits) as writer:
        _must_be_of(out, recipe, is_new=writer.episodes == 0)
        parts = out / _PARTS
        shutil.rmtree(parts, ignore_errors=True)  # from an interrupted run
        on_progress(writer.episodes)
        jobs = [(parts, recipe, number) for number in range(writer.episodes, episodes)]
        recorded: set[Path] = set()
        for folder in run_jobs(record or record_expert, jobs, processes=processes):
            recorded.add(folder)
            while (following := part_of(parts, writer.episodes)) in recorded:
                recorded.remove(following)
                writer.take_over(following)
                on_progress(writer.episodes)
        shutil.rmtree(parts, ignore_errors=True)


def record_expert(job: Job) -> Path:
    """Record an episode of the expert; returns its folder."""
    with RecordedEpisode(job) as episode:
        world, before = episode.scene.world, episode.scene.world.base_from_tool
        scene, noise = episode.scene, job[1].noise
        for tick in run_expert(world, scene.task, rng=scene.rng, noise=noise):
            if tick.done:
                episode.end(success=tick.success)
                break
            after = tick.base_from_target[ROW]
            gripper_open = float(tick.gripper_open[ROW])
            episode.add(step_between(before, after, gripper_open), after)
            before = after
    return episode.folder


class RecordedEpisode:
    """An episode of the simulated robot while it is recorded; a context manager."""

    def __init__(self, job: Job) -> None:
        parts, self._recipe, number = job
        self.folder = part_of(parts, number)
        self.scene: Scene = scene_of(self._recipe, number)
        record = EpisodeRecord(
            recording_id=uuid5(NAMESPACE_OID, f"{self._recipe} {number}").hex,
            instruction=self.scene.wordings[0],
            wordings=self.scene.wordings,
            robot_vision_version=__version__,
        )
        self._open = OpenEpisode(self.folder, form_of(self._recipe), record)

    def __enter__(self) -> "RecordedEpisode":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self.scene.world.close()

    def add(self, action: Any, base_from_target: Any, taught: Any = None) -> None:
        """Append the current observation and the action for it; see `Sample`."""
        world = self.scene.world
        stamp_ns = _START_NS + round(world.time_s * NS_PER_S)
        self._open.add(
            Sample(
                stamp_ns=stamp_ns,
                frames=dict(_frames(world, stamp_ns, self._recipe)),
                robot=world.state(stamp_ns),
                action=action,
                base_from_target=base_from_target,
                base_from_camera=dict(_camera_poses(world, self._recipe)),
                taught=taught,
            )
        )

    def end(self, *, success: bool) -> None:
        """Mark its outcome."""
        self._open.mark(success=success, notes={})


def part_of(parts: Path, number: int) -> Path:
    """The folder of an episode's recording."""
    return parts / f"{number:06d}"


def form_of(recipe: DemonstrationRecipe) -> DatasetFormat:
    """The format of a recipe's datasets."""
    sizes_px = {"front": recipe.size_px}
    if recipe.wrist_size_px is not None:
        sizes_px["wrist"] = recipe.wrist_size_px
    return DatasetFormat(
        fps=FPS,
        robot_type="robot_vision simulated arm",
        joint_names=SEVEN.joint_names,
        cameras=tuple(
            CameraFormat(
                name=name,
                width_px=width_px,
                height_px=height_px,
                depth_width_px=width_px if recipe.depth else 0,
                depth_height_px=height_px if recipe.depth else 0,
            )
            for name, (width_px, height_px) in sizes_px.items()
        ),
        action=ActionConvention(source="corrected" if recipe.policy else "expert"),
        taught_steps=TAUGHT_STEPS if recipe.policy else 0,
    )


def _frames(
    world: RobotWorld, stamp_ns: int, recipe: DemonstrationRecipe
) -> Iterator[tuple[str, Frame]]:
    yield "front", world.frame(stamp_ns, depth=recipe.depth)
    if recipe.wrist_size_px is not None:
        yield "wrist", world.wrist_frame(stamp_ns, depth=recipe.depth)


def _camera_poses(world: RobotWorld, recipe: DemonstrationRecipe) -> Iterator[tuple[str, Any]]:
    yield "front", world.base_from_camera
    if recipe.wrist_size_px is not None:
        yield "wrist", world.base_from_wrist_camera


def _must_be_of(out: Path, recipe: DemonstrationRecipe, *, is_new: bool) -> None:
    """Store the recipe in a new set; raise `DatasetError` if another one is stored."""
    file = out / RECIPE_FILE
    asked = _as_json(recipe)
    if is_new and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, asked)
        return
    before = {"fixed_camera": False}  # defaults of older sets, which did not store it
    noted = before | (read_json(file) if file.exists() else {})
    different = [
        f"{name} is {noted.get(name)!r} in the set, {value!r} now"
        for name, value in asked.items()
        if noted.get(name) != value
    ]
    if different:
        raise DatasetError(f"{out} has another recipe: {'; '.join(different)}")


def _as_json(recipe: DemonstrationRecipe) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        return [plain(one) for one in value] if isinstance(value, tuple) else value

    return {name: plain(value) for name, value in asdict(recipe).items()}
