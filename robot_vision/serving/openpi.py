"""openpi's protocol, for clients of that library: one moment in, a chunk of physical steps out.

Keys: `observation/<camera>` u8 [h,w,3], `observation/state` f32 [n] in the order of the policy's
observation, `prompt`; the answer has `actions` f64 [t,n]. openpi has no stamps, no history and no
hold: if the policy holds, the answer has `hold_reason` instead of `actions`.
"""

from time import perf_counter, time_ns
from typing import Any

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.results.unperceived import unperceived
from robot_vision.core.types import Frame, Instruction, Observation, Picture, RobotState
from robot_vision.policies.guards.safety import physical_action
from robot_vision.policies.registry import BundledPolicy
from robot_vision.policies.remote.clients.openpi import HOLD_KEY
from robot_vision.policies.remote.contract import contract_of
from robot_vision.policies.remote.errors import RemoteError
from robot_vision.serving.exchange import EXCHANGES, observation_of_bundle

STATE_KEY, PROMPT_KEY = "observation/state", "prompt"
_BLANK = np.zeros((16, 16, 3), np.uint8)


def camera_key(name: str) -> str:
    """The clients' name of a camera."""
    return f"observation/{name}"


class OpenpiExchange:
    """See `Exchange`."""

    path, token_scheme = "/", "Api-Key"

    def __init__(self, policy: BundledPolicy) -> None:
        self._policy = policy
        self._seen = _of_one_moment(policy)
        self._instruction: Instruction | None = None

    def contract(self) -> dict[str, Any]:
        seen = self._seen
        return contract_of(
            self._policy.spec,
            camera_keys=[camera_key(camera.name) for camera in seen.cameras],
            state_keys=[] if seen.state == "none" else [STATE_KEY],
        )

    def answer(self, message: Any) -> dict[str, Any]:
        started_s = perf_counter()
        if not isinstance(message, dict):
            raise RemoteError("a request is not a map of observations by key")
        text = message.get(PROMPT_KEY, "")
        if not isinstance(text, str):
            raise RemoteError(f"{PROMPT_KEY!r} is not text")
        if self._instruction is None or self._instruction.text != text:
            self._instruction = self._policy.instruct(text)
        decision = self._policy.decide(self._observation(message), self._instruction)
        timing = {"server_timing": {"infer_ms": (perf_counter() - started_s) * 1e3}}
        if decision.action is None:
            return {HOLD_KEY: decision.hold_reason, **timing}
        return {"actions": physical_action(decision.action, self._policy.spec), **timing}

    def _observation(self, message: dict[Any, Any]) -> Observation:
        now_ns, seen = time_ns(), self._seen
        pictures = {
            camera.name: (Picture(stamp_ns=now_ns, rgb=_picture(message, camera.name)),)
            for camera in seen.cameras
        }
        frame = Frame(stamp_ns=now_ns, frame_id="remote", rgb=_BLANK)
        return Observation(
            perception=unperceived(frame),
            base_from_camera=np.eye(4),
            robot=_robot(message, seen, now_ns),
            pictures=pictures,
        )


def _of_one_moment(policy: BundledPolicy) -> ObservationSpec:
    seen = observation_of_bundle(policy)
    with_depth = [camera.name for camera in seen.cameras if camera.has_depth]
    lacks = [] if seen.steps == 1 else [f"{seen.steps} moments"]
    lacks += [f"depth of {', '.join(with_depth)}"] if with_depth else []
    if lacks:
        raise BundleError(
            f"policy {policy.manifest.name!r} needs {' and '.join(lacks)}, which openpi's "
            "protocol does not carry: serve it with --protocol robot_vision"
        )
    return seen


def _picture(message: dict[Any, Any], camera: str) -> np.ndarray:
    found = message.get(camera_key(camera))
    if not isinstance(found, np.ndarray) or found.dtype != np.uint8 or found.ndim != 3:
        raise RemoteError(f"{camera_key(camera)!r} is missing; expected u8 [h, w, 3]")
    if found.shape[2] != 3 or not found.size:
        raise RemoteError(f"{camera_key(camera)!r} is {found.shape}; expected [h, w, 3]")
    return found


def _robot(message: dict[Any, Any], seen: ObservationSpec, now_ns: int) -> RobotState:
    """The arm from the state's numbers; values that the policy does not use are zero."""
    pose, joints, opened = np.eye(4), np.zeros(0), 1.0
    if seen.state != "none":
        found = message.get(STATE_KEY)
        if not isinstance(found, np.ndarray) or found.shape != (seen.state_width,):
            shape = getattr(found, "shape", None)
            raise RemoteError(f"{STATE_KEY!r} is {shape}; expected ({seen.state_width},)")
        numbers = found.astype(np.float64)
        opened = float(numbers[-1])
        if seen.state == "joints":
            joints = numbers[:-1]
        else:
            x_axis, y_axis = numbers[3:6], numbers[6:9]
            pose[:3, :3] = np.stack([x_axis, y_axis, np.cross(x_axis, y_axis)], axis=1)
            pose[:3, 3] = numbers[:3]
    return RobotState(
        stamp_ns=now_ns,
        joint_position_rad=joints,
        joint_names=seen.joint_names if seen.state == "joints" else (),
        base_from_tool=pose,
        gripper_open=opened,
    )


EXCHANGES.register("openpi")(OpenpiExchange)
