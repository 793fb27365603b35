"""`~/action_chunk/json` of the policy node: a chunk, and which policy it is from."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from robot_vision.core.files.json_form import Figure, JsonForm
from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.results.policy_status import Pose, pose_of
from robot_vision.core.types import ActionChunk

_MOST_STEPS = 64


@dataclass(frozen=True, kw_only=True)
class PolicyChunk:
    """An admitted chunk: tool poses in `frame_id` and openings of the gripper, 0 closed to 1 open.

    Step k is for `stamp_ns` + (k + 1) · `step_s`; `stamp_ns` is the observation's. No step counts
    after `valid_until_ns`. `identity` is that of `~/action_spec`: a controller that was made for
    one policy compares it and refuses the chunks of another.
    """

    identity: str
    model_id: str
    stamp_ns: int
    valid_until_ns: int
    frame_id: str
    tool_frame_id: str
    step_s: Figure
    poses: Annotated[tuple[Pose, ...], Field(max_length=_MOST_STEPS)]
    gripper_open: Annotated[tuple[Figure, ...], Field(max_length=_MOST_STEPS)]


POLICY_CHUNK = JsonForm(PolicyChunk, what="the policy's chunk")


def policy_chunk(chunk: ActionChunk, spec: ActionSpec) -> PolicyChunk:
    """The chunk of the policy with this spec."""
    return PolicyChunk(
        identity=spec.identity,
        model_id=spec.model_id,
        stamp_ns=chunk.observation_stamp_ns,
        valid_until_ns=chunk.valid_until_ns,
        frame_id=chunk.frame_id,
        tool_frame_id=spec.tool_frame_id,
        step_s=chunk.step_s,
        poses=tuple(pose_of(target) for target in chunk.base_from_target),
        gripper_open=tuple(chunk.action[:, 6].tolist()),
    )
