"""Turns the network's output into a chunk that an arm may follow, or rejects it.

finite check → physical units → limit of each step → absolute targets from the observed tool.
The limits of the stream (workspace, speed, acceleration, jerk) are in `stream.py`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robot_vision.arm.kinematics import Kinematics
from robot_vision.core import quaternions
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.parameters.groups.policy_config import SafetyConfig
from robot_vision.core.types import ActionChunk, Decision, Intervention, RobotState
from robot_vision.policies.control.joint_chunk import tool_steps


@dataclass(frozen=True, kw_only=True, eq=False)
class Admission:
    """The admitted chunk, or why there is none (`refused`); and what was cut."""

    chunk: ActionChunk | None
    refused: str = ""
    interventions: tuple[Intervention, ...] = ()


def admit(
    decision: Decision,
    *,
    robot: RobotState,
    spec: ActionSpec,
    safety: SafetyConfig,
    kinematics: Kinematics | None = None,
) -> Admission:
    """The chunk of a decision, relative to `robot`, the arm at the decision's stamp.

    A decision to hold, an action that is not finite or has the wrong horizon, and an arm with an
    invalid pose are rejected as a whole: nothing is repaired. Joint positions need the arm's
    `kinematics`.
    """
    if decision.action is None:
        return Admission(chunk=None, refused=decision.hold_reason or "the policy gave no action")
    problem = _problem(decision.action, robot, spec)
    if problem:
        limit, refused = problem
        broken = Intervention(stamp_ns=decision.stamp_ns, limit=limit, detail=refused)
        return Admission(chunk=None, refused=refused, interventions=(broken,))
    physical = physical_action(decision.action, spec)
    if spec.joint_names:
        try:
            physical = tool_steps(physical, spec.joint_names, kinematics=kinematics, robot=robot)
        except ValueError as error:
            return Admission(chunk=None, refused=str(error))
    action, interventions = _within_steps(physical, safety, stamp_ns=decision.stamp_ns)
    chunk = ActionChunk(
        observation_stamp_ns=decision.stamp_ns,
        step_s=spec.step_s,
        frame_id=spec.frame_id,
        action=action,
        base_from_target=accumulate(robot.base_from_tool, action),
        valid_until_ns=decision.stamp_ns + round(len(action) * spec.step_s * NS_PER_S),
    )
    return Admission(chunk=chunk, interventions=interventions)


def physical_action(
    action: Float[np.ndarray, "t d"], spec: ActionSpec
) -> Float[np.ndarray, "t d"]:
    """Metres, radians and gripper (0 to 1) of an action in units of the spec's statistics."""
    mean, scale = np.array(spec.statistics.mean), np.array(spec.statistics.scale)
    physical = mean + scale * action.astype(np.float64)
    physical[:, -1] = np.clip(physical[:, -1], 0.0, 1.0)
    return physical


def accumulate(
    base_from_tool: Float[np.ndarray, "4 4"], action: Float[np.ndarray, "t 7"]
) -> Float[np.ndarray, "t 4 4"]:
    """Tool poses reached by the steps: Δ in base axes, rotations applied from the left."""
    positions_m = base_from_tool[:3, 3] + np.cumsum(action[:, :3], axis=0)
    quaternion = quaternions.from_matrix(base_from_tool[:3, :3])
    poses = []
    for position_m, turn_rad in zip(positions_m, action[:, 3:6], strict=True):
        quaternion = quaternions.multiply(quaternions.exp(turn_rad), quaternion)
        poses.append(quaternions.pose_matrix(position_m, quaternion))
    return np.stack(poses)


def _problem(
    action: Float[np.ndarray, "t d"], robot: RobotState, spec: ActionSpec
) -> tuple[str, str] | None:
    """The limit that a decision breaks as a whole, and how."""
    if action.shape != (spec.horizon, spec.width):
        expected = (spec.horizon, spec.width)
        return "shape", f"the policy's action has shape {action.shape}, expected {expected}"
    bad = int(np.count_nonzero(~np.isfinite(action)))
    if bad:
        return "finite", f"{bad} of {action.size} numbers of the policy's action are not finite"
    if not quaternions.is_pose(robot.base_from_tool):
        return "tool_pose", "the tool's pose at the observation is not a finite rigid transform"
    return None


def _within_steps(
    action: Float[np.ndarray, "t 7"], safety: SafetyConfig, *, stamp_ns: int
) -> tuple[Float[np.ndarray, "t 7"], tuple[Intervention, ...]]:
    """Steps cut to the largest length, and what was cut."""
    cut, interventions = action.copy(), []
    for name, columns, most, unit in (
        ("step_m", slice(0, 3), safety.max_step_m, "m"),
        ("step_rad", slice(3, 6), safety.max_step_rad, "rad"),
    ):
        length = np.linalg.norm(action[:, columns], axis=1)
        beyond = length > most
        if beyond.any():
            cut[beyond, columns] *= (most / length[beyond])[:, None]
            detail = (
                f"{int(beyond.sum())} of {len(action)} steps were cut to {most:g} {unit}; "
                f"the longest was {length.max():.3g} {unit}"
            )
            interventions.append(Intervention(stamp_ns=stamp_ns, limit=name, detail=detail))
    return cut, tuple(interventions)
