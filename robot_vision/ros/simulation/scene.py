"""One scene of the simulated robot: its physics, its task, and a twin for rendering only."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from robot_vision.core.types import Frame
from robot_vision.simulation.robot.arms.arms import SEVEN, Arm
from robot_vision.simulation.robot.work.drawn_tasks import build_task_world
from robot_vision.simulation.robot.work.phrases import instruct
from robot_vision.simulation.robot.work.task import Kind, Named, Task
from robot_vision.simulation.robot.work.tasks import success
from robot_vision.simulation.robot.world import RobotWorld
from robot_vision.simulation.task_status import TaskStatus


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """`world` belongs to the thread of the physics, `twin` to that of the cameras.

    The twin is the same table built again: it copies the places of all things and renders them
    while physics continues.
    """

    seed: int
    world: RobotWorld
    twin: RobotWorld
    task: Task
    instruction: str

    def places(self) -> Float64[np.ndarray, " q"]:
        """The positions of everything now."""
        return self.world.data.qpos.copy()

    def look(
        self, places: Float64[np.ndarray, " q"], stamp_ns: int, *, wrist: bool
    ) -> tuple[Frame, Frame | None]:
        """Images of things at `places`, from the fixed camera and the wrist camera."""
        self.twin.data.qpos[:] = places
        self.twin.step(0.0)
        return self.twin.frame(stamp_ns), self.twin.wrist_frame(stamp_ns) if wrist else None

    def status(
        self, *, stamp_ns: int, behind_s: float, pictures_skipped: int, commands_refused: int
    ) -> TaskStatus:
        """The content of `~/task`."""
        return TaskStatus(
            stamp_ns=stamp_ns,
            seed=self.seed,
            kind=self.task.kind,
            instruction=self.instruction,
            target=_words(self.task.target),
            destination=_words(self.task.destination),
            direction=self.task.direction,
            things=tuple(f"{i.color_name} {i.class_name}" for i in self.world.items),
            time_s=round(self.world.time_s, 3),
            time_out_s=float(self.task.time_out_s),
            success=success(self.world, self.task),
            behind_s=round(behind_s, 3),
            pictures_skipped=pictures_skipped,
            commands_refused=commands_refused,
        )


def build_scene(
    seed: int, *, kind: Kind | None, arm: Arm = SEVEN, fixed_camera: bool = False
) -> Scene:
    """The scene of a seed, of the held-out kind (colours, places, words)."""
    (world, task), (twin, _) = (
        build_task_world(
            np.random.default_rng(seed),
            split="test",
            kind=kind,
            arm=arm,
            fixed_camera=fixed_camera,
        )
        for _ in range(2)
    )
    words = instruct(task, np.random.default_rng((seed, 1)))
    return Scene(seed=seed, world=world, twin=twin, task=task, instruction=words)


def _words(thing: Named | None) -> str | None:
    return None if thing is None else f"{thing.color_name} {thing.class_name}"
