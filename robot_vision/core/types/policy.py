"""From an observation to a command: what policies and controllers exchange."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64, Int64

from robot_vision.core.types.frame import Picture
from robot_vision.core.types.perception import Perception


@dataclass(frozen=True, kw_only=True, eq=False)
class RobotState:
    """Where the arm is. The tool point lies between the finger tips, its z axis along them.

    `gripper_open` is measured: 0 closed, 1 open; with a held object it is in between.
    `joint_names` are those of `joint_position_rad`, if known.
    """

    stamp_ns: int
    joint_position_rad: Float64[np.ndarray, " j"]
    base_from_tool: Float64[np.ndarray, "4 4"]
    gripper_open: float
    joint_names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PointedAt:
    """The tracks that a phrase names in a frame; where there are none, `problem` says why."""

    phrase: str = ""
    track_ids: tuple[int, ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Pointed:
    """What a prompt says of the policy's target, and then of its destination.

    Where it names no track the policy points by itself, or holds if `is_required`.
    """

    named: tuple[PointedAt, ...]
    is_required: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Observation:
    """A policy's input: one frame, the arm at its stamp, and earlier states of the arm.

    `history` is oldest first, one state per step of the action spec (of the observation, for a
    policy from pixels), without `robot` itself; shorter than asked for at the beginning.
    `pictures` are those of named cameras, oldest first, up to the stamp. Policies from pixels
    that take nothing of perception may be given `unperceived` frames, whose camera is anywhere.
    `pointed` is None where a prompt has no say in what is pointed at.
    """

    perception: Perception
    base_from_camera: Float64[np.ndarray, "4 4"]
    robot: RobotState
    history: tuple[RobotState, ...] = ()
    pictures: Mapping[str, tuple[Picture, ...]] = field(default_factory=dict)
    pointed: Pointed | None = None

    @property
    def stamp_ns(self) -> int:
        return self.perception.stamp_ns


@dataclass(frozen=True, kw_only=True, eq=False)
class Instruction:
    """What the arm is to do. `encoding` is computed once, when the text arrives.

    `problem` says why it cannot be followed (empty text, unknown words); empty if it can.
    """

    text: str
    tokens: Int64[np.ndarray, " l"]
    encoding: Float32[np.ndarray, "l d"]
    unknown_words: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """A policy's answer to one observation: a chunk of actions, or the reason to hold.

    `action` is as the network gives it, in the units of the spec's statistics: Δxyz, Δrotation
    vector (both in base axes, each step relative to the target before it, the first to the tool
    as observed) and gripper; or positions of the spec's joints and gripper. `attention` covers
    the camera view and sums to one. `masked` says what the policy was to see and did not, and why.
    `inputs` is what the network of a policy from pixels was fed with, without memory and noise.
    """

    stamp_ns: int
    action: Float32[np.ndarray, "t a"] | None
    hold_reason: str = ""
    target_track_id: int = -1
    destination_track_id: int = -1
    attention: Float32[np.ndarray, "h w"] | None = None
    stage_s: Mapping[str, float] = field(default_factory=dict)
    masked: tuple[str, ...] = ()
    inputs: Mapping[str, np.ndarray] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ActionChunk:
    """Actions in physical units, and the tool poses (absolute targets) that they lead to.

    Row k is for `observation_stamp_ns` + (k + 1) · `step_s`. `action` columns: Δxyz m, Δrotation
    vector rad, gripper 0 closed to 1 open. Expires at `valid_until_ns`.
    """

    observation_stamp_ns: int
    step_s: float
    frame_id: str
    action: Float64[np.ndarray, "t 7"]
    base_from_target: Float64[np.ndarray, "t 4 4"]
    valid_until_ns: int


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """The safety filter changed or rejected something at a stamp."""

    stamp_ns: int
    limit: str
    detail: str


@dataclass(frozen=True, kw_only=True, eq=False)
class JointCommand:
    """Commanded joint positions (rad or m) and velocities (per second)."""

    names: tuple[str, ...]
    position: Float64[np.ndarray, " j"]
    velocity: Float64[np.ndarray, " j"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Command:
    """The command to the arm at a stamp. `holding` repeats the last pose, for the given `reasons`.

    `action` is the step from the previous command: Δxyz m, Δrotation vector rad, gripper.
    `twist` is linear m/s and angular rad/s in base axes. `joints` are set in joint space.
    """

    stamp_ns: int
    observation_stamp_ns: int
    base_from_tool: Float64[np.ndarray, "4 4"]
    twist: Float64[np.ndarray, "6"]
    gripper_open: float
    action: Float64[np.ndarray, "7"]
    holding: bool
    reasons: tuple[str, ...] = ()
    interventions: tuple[Intervention, ...] = ()
    joints: JointCommand | None = None
