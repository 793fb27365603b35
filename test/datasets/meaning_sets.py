"""A set in memory of an arm that follows its actions, with whatever mistake a test writes in."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation as Turn

from robot_vision.core.types import Frame
from robot_vision.datasets.episode_set import EpisodeActions, EpisodeCamera, EpisodeState
from robot_vision.datasets.errors import DatasetError

NAMES = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
RATE_HZ = 10.0


class MadeSet:
    """An `EpisodeSet` of given numbers; `said_meaning` None, no cameras."""

    cameras: tuple[EpisodeCamera, ...] = ()
    remarks: tuple[str, ...] = ()
    said_meaning: Mapping[str, Any] | None = None

    def __init__(
        self,
        actions: Sequence[np.ndarray],
        states: Sequence[np.ndarray] | None,
        *,
        names: tuple[str, ...] = NAMES,
        says_rate: bool = True,
    ) -> None:
        self._actions, self._states, self._names = actions, states, names
        self.says_rate, self.fps = says_rate, RATE_HZ
        self.lengths = tuple(len(each) for each in actions)

    def instruction(self, episode_index: int) -> str:
        return f"task {episode_index}"

    def instructions(self, episode_index: int) -> tuple[str, ...]:
        return (self.instruction(episode_index),)

    def success(self, episode_index: int) -> bool | None:  # noqa: ARG002
        return None

    def contradictions(self, episode_index: int) -> Mapping[str, str]:  # noqa: ARG002
        return {}

    def frame(self, episode_index: int, step_index: int, camera: str) -> Frame:
        raise DatasetError(f"no camera {camera} in episode {episode_index}, step {step_index}")

    def actions(self, episode_index: int) -> EpisodeActions | None:
        return EpisodeActions(values=self._actions[episode_index], names=self._names)

    def state(self, episode_index: int) -> EpisodeState | None:
        if self._states is None:
            return None
        return EpisodeState(values=self._states[episode_index], names=self._names)

    def close(self) -> None: ...


def arm(*, episodes: int = 4, steps: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Poses [e,n,4,4] of a tool that points down, wanders and turns, and its gripper [e,n]."""
    rng = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (episodes, steps, 1, 1))
    gripper = np.ones((episodes, steps))
    for each in range(episodes):
        speed = np.cumsum(rng.normal(0, 1, (steps, 6)), axis=0)
        speed -= speed.mean(axis=0)
        path = np.cumsum(speed, axis=0) * ([0.0006] * 3 + [0.004] * 3)
        start = Turn.from_euler("xyz", [2.4, 0.6, rng.uniform(-2, 2)])
        poses[each, :, :3, :3] = (Turn.from_rotvec(path[:, 3:]) * start).as_matrix()
        poses[each, :, :3, 3] = [0.4, 0.0, 0.2] + path[:, :3]
        gripper[each, steps // 3 : 2 * steps // 3] = 0.0
    return poses, gripper
