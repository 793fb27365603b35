"""Pictures and states at the past moments a policy looks at, each with its real stamp."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float32

from robot_vision.core.clock import NS_PER_S, seconds_between
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.types import Picture, RobotState

# A gap no longer than this is filled with the previous item.
_LEAST_GAP_S = 0.2


StampedT = TypeVar("StampedT", Picture, RobotState)


def asked_ns(stamp_ns: int, seen: ObservationSpec) -> tuple[int, ...]:
    """The moments of an observation's steps, oldest first."""
    step_ns = round(seen.step_s * NS_PER_S)
    return tuple(stamp_ns - k * step_ns for k in range(seen.steps - 1, -1, -1))


def most_gap_s(seen: ObservationSpec) -> float:
    """How much older than requested a picture may be; beyond this its step is masked."""
    return max(2 * seen.step_s, _LEAST_GAP_S)


def newest_at(
    items: Sequence[StampedT], moments_ns: Sequence[int], *, gap_s: float
) -> tuple[StampedT | None, ...]:
    """For each moment the newest of `items` that is not later, None if that is too old."""
    found: list[StampedT | None] = []
    for moment_ns in moments_ns:
        before = [item for item in items if item.stamp_ns <= moment_ns]
        item = max(before, key=lambda item: item.stamp_ns, default=None)
        is_old = item is not None and seconds_between(item.stamp_ns, moment_ns) > gap_s
        found.append(None if is_old else item)
    return tuple(found)


def tool_state(robot: RobotState) -> Float32[np.ndarray, "10"]:
    """Position (m), x and y axis of the tool in the base frame, gripper 0 closed to 1 open."""
    pose = robot.base_from_tool
    return np.concatenate(
        [pose[:3, 3], pose[:3, 0], pose[:3, 1], [robot.gripper_open]], dtype=np.float32
    )


def joint_state(robot: RobotState, names: tuple[str, ...]) -> Float32[np.ndarray, " s"]:
    """Positions of the joints (rad or m) in that order, then the gripper.

    Raises `ValueError` naming the joints missing from the state.
    """
    position = dict(zip(robot.joint_names, robot.joint_position_rad.tolist(), strict=False))
    missing = [name for name in names if name not in position]
    if missing:
        known = ", ".join(robot.joint_names) or "none"
        raise ValueError(
            f"the arm's state lacks joint {', '.join(missing)}, which the policy needs; its "
            f"joints are {known}"
        )
    return np.array([*(position[name] for name in names), robot.gripper_open], np.float32)
