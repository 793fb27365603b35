"""`~/status/json` of the policy node: what the arm is sent and why, for every reader alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from robot_vision.core.files.json_form import Figure, JsonForm, Total
from robot_vision.core.results.objects import quaternion_xyzw

_MOST_ACTIONS, _MOST_JOINTS = 32, 100


@dataclass(frozen=True, kw_only=True)
class Pose:
    """A pose of the tool in the robot's base frame."""

    position_m: tuple[Figure, Figure, Figure]
    quaternion_xyzw: tuple[Figure, Figure, Figure, Figure]


def pose_of(base_from_tool: Float64[np.ndarray, "4 4"]) -> Pose:
    """The pose, rounded to a micrometre and a microradian."""
    x, y, z = rounded(base_from_tool[:3, 3].tolist())
    qx, qy, qz, qw = rounded(list(quaternion_xyzw(base_from_tool[:3, :3])))
    return Pose(position_m=(x, y, z), quaternion_xyzw=(qx, qy, qz, qw))


def rounded(values: list[float]) -> tuple[float, ...]:
    """To six places: enough for metres and radians of an arm."""
    return tuple(round(value, 6) for value in values)


@dataclass(frozen=True, kw_only=True)
class ServerStatus:
    """The connection to a policy server.

    `state` is `connecting`, `ready`, `unreachable`, `lost` or `refused`; `problem` says why it is
    not ready. `latency_ms` has percentiles of answers that came in time, and
    `steps_past_on_arrival` is their median in steps of a chunk. `unsaid` names what the server
    does not report.
    """

    server: str
    state: str
    problem: str
    reconnects: Total
    answers: Total
    late_answers: Total
    failed_requests: Total
    latency_ms: Mapping[str, Figure]
    steps_past_on_arrival: Figure
    unsaid: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PolicyStatus:
    """The state of the policy node. Defaults mean unknown; the node writes every field.

    `holding`: the arm is kept where it is, for the `reasons`. `needs_enable`: it holds until
    `~/enable` is called again. `masked` names inputs that the policy lacks; `camera_warnings`
    cameras that are not where it learnt that they are. `target_id` and `destination_id` are track
    ids, -1 for none. `action` is Δx Δy Δz m, Δrx Δry Δrz rad, gripper 0 closed to 1 open.
    `interventions` counts limits that the safety filter enforced, and holds, by cause. `joints`
    has the commanded positions by name; it is null outside joint space. `late` counts commands
    that missed their deadline. Only a policy on a server has `policy_server`.
    """

    stamp_ns: int = 0
    identity: str = ""
    masked: tuple[str, ...] = ()
    enabled: bool
    holding: bool
    needs_enable: bool = False
    reasons: tuple[str, ...] = ()
    instruction: str = ""
    instruction_problem: str = ""
    target_id: int | None = None
    destination_id: int | None = None
    action: Annotated[tuple[Figure, ...], Field(max_length=_MOST_ACTIONS)] | None = None
    pose: Pose | None = None
    gripper_open: Figure | None = None
    interventions: Mapping[str, Total] = field(default_factory=dict)
    joints: Annotated[Mapping[str, Figure], Field(max_length=_MOST_JOINTS)] | None = None
    joint_warnings: tuple[str, ...] = ()
    chunk_age_s: Figure | None = None
    perception_age_s: Figure | None = None
    policy_server: ServerStatus | None = None
    camera_warnings: tuple[str, ...] = ()
    policy_ms: Figure | None = None
    command_hz: Figure | None = None
    late: Total | None = None

    @property
    def follows(self) -> bool:
        """Whether commands follow the policy."""
        return self.enabled and not self.holding


POLICY_STATUS = JsonForm(
    PolicyStatus, what="the policy's status", may_lack=frozenset({"policy_server"})
)
