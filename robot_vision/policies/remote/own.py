"""Our own protocol's messages: an observation and a decision, unchanged, in msgpack.

Framed like openpi's: one WebSocket message each way, the server's contract first. A request holds
`stamp_ns`, `text`, `pictures`, `robot` and `history`; an answer `stamp_ns`, and `action` in
physical units or `hold_reason`, `masked` and `server_s`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.results.unperceived import unperceived
from robot_vision.core.types import Frame, Observation, Picture, RobotState
from robot_vision.policies.remote.errors import RemoteError

OWN_ANSWER = "action"
_MOST_STATES, _MOST_PICTURES = 200, 64
# Pictures are keyed by camera name; perception's own frame is not sent.
_NOTHING = np.zeros((16, 16, 3), np.uint8)


def request_message(observation: Observation, text: str, seen: ObservationSpec) -> dict[str, Any]:
    """An observation as plain values and arrays."""
    pictures = {
        camera.name: [_picture(p) for p in _shown(observation, camera.name, seen)]
        for camera in seen.cameras
    }
    return {
        "stamp_ns": observation.stamp_ns,
        "text": text,
        "pictures": pictures,
        "robot": _robot(observation.robot),
        "history": [_robot(state) for state in observation.history],
    }


def observation_of(message: Any, seen: ObservationSpec) -> tuple[Observation, str]:
    """The inverse, with the instruction. Raises `RemoteError` saying what is wrong with a
    message."""
    try:
        stamp_ns, text = _whole(message["stamp_ns"]), message["text"]
        pictures = {
            camera.name: tuple(
                _read_picture(item)
                for item in _few(message["pictures"].get(camera.name, ()), _MOST_PICTURES)
            )
            for camera in seen.cameras
        }
        robot = _read_robot(message["robot"])
        history = tuple(_read_robot(s) for s in _few(message["history"], _MOST_STATES))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RemoteError(f"a request has a missing or invalid field: {error}") from error
    if not isinstance(text, str):
        raise RemoteError("a request has no text")
    frame = Frame(stamp_ns=stamp_ns, frame_id="remote", rgb=_NOTHING)
    observation = Observation(
        perception=unperceived(frame),
        base_from_camera=np.eye(4),
        robot=robot,
        history=history,
        pictures=pictures,
    )
    return observation, text


def blank_observation(seen: ObservationSpec, spec: ActionSpec) -> Observation:
    """Black pictures and an arm at its zero position, for the first request after connecting."""
    names = tuple(dict.fromkeys((*seen.joint_names, *spec.joint_names)))
    robot = RobotState(
        stamp_ns=1,
        joint_position_rad=np.zeros(len(names)),
        joint_names=names,
        base_from_tool=np.eye(4),
        gripper_open=1.0,
    )
    black = {
        camera.name: (
            Picture(stamp_ns=1, rgb=np.zeros((camera.height_px, camera.width_px, 3), np.uint8)),
        )
        for camera in seen.cameras
    }
    frame = Frame(stamp_ns=1, frame_id="remote", rgb=_NOTHING)
    return Observation(
        perception=unperceived(frame), base_from_camera=np.eye(4), robot=robot, pictures=black
    )


def _shown(observation: Observation, name: str, seen: ObservationSpec) -> Sequence[Picture]:
    frame = observation.perception.frame
    if name not in observation.pictures and name == seen.cameras[0].name:
        return (Picture(stamp_ns=frame.stamp_ns, rgb=frame.rgb, depth_m=frame.depth_m),)
    return observation.pictures.get(name, ())


def _picture(picture: Picture) -> dict[str, Any]:
    depth = {} if picture.depth_m is None else {"depth_m": picture.depth_m}
    return {"stamp_ns": picture.stamp_ns, "rgb": picture.rgb, **depth}


def _robot(robot: RobotState) -> dict[str, Any]:
    return {
        "stamp_ns": robot.stamp_ns,
        "joint_names": list(robot.joint_names),
        "joint_position_rad": robot.joint_position_rad,
        "base_from_tool": robot.base_from_tool,
        "gripper_open": float(robot.gripper_open),
    }


def _read_picture(item: Mapping[str, Any]) -> Picture:
    rgb, depth_m = item["rgb"], item.get("depth_m")
    if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8 or rgb.shape[2:] != (3,):
        raise ValueError("a picture: expected u8 [h, w, 3]")
    if not rgb.size:
        raise ValueError("a picture has no pixels")
    if depth_m is not None and (
        not isinstance(depth_m, np.ndarray) or depth_m.dtype != np.float32 or depth_m.ndim != 2
    ):
        raise ValueError("depth: expected f32 [h, w]")
    return Picture(stamp_ns=_whole(item["stamp_ns"]), rgb=rgb, depth_m=depth_m)


def _read_robot(item: Mapping[str, Any]) -> RobotState:
    names = tuple(str(name) for name in _few(item["joint_names"], 64))
    position = np.asarray(item["joint_position_rad"], np.float64)
    pose = np.asarray(item["base_from_tool"], np.float64)
    if position.ndim != 1 or len(position) > 64 or (names and position.shape != (len(names),)):
        raise ValueError("joint_position_rad: expected one number per joint")
    if pose.shape != (4, 4):
        raise ValueError("base_from_tool: expected [4, 4]")
    return RobotState(
        stamp_ns=_whole(item["stamp_ns"]),
        joint_position_rad=position,
        joint_names=names,
        base_from_tool=pose,
        gripper_open=float(item["gripper_open"]),
    )


def _few(items: Any, most: int) -> Sequence[Any]:
    if not isinstance(items, list | tuple) or len(items) > most:
        raise ValueError(f"a list: expected at most {most} items")
    return items


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("a stamp: expected whole nanoseconds")
    return value
