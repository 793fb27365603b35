"""Converts an observation for a server: pictures cropped and resized, state in its order and
units."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.codecs.stretch import stretched
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.types import Observation, Picture, RobotState
from robot_vision.datasets.meaning.inverse import foreign_poses
from robot_vision.datasets.meaning.meaning import Column
from robot_vision.policies.pixels.history import asked_ns, joint_state, most_gap_s, newest_at
from robot_vision.policies.remote.messages import Request
from robot_vision.policies.remote.spec import Mapping, SentCamera, SentState


def request_of(
    observation: Observation, text: str, *, seen: ObservationSpec, mapping: Mapping
) -> Request:
    """Raises `ValueError` if a picture, a state or a joint is missing.

    Servers know no masks: they would take a black picture for the real view.
    """
    moments_ns = asked_ns(observation.stamp_ns, seen)
    gap_s = most_gap_s(seen)
    pictures, states = {}, {}
    for sent in mapping.cameras:
        kept = newest_at(_pictures(observation, sent, seen), moments_ns, gap_s=gap_s)
        _all_there(kept, f"camera {sent.camera} has no picture for the current or an earlier step")
        pictures[sent.key] = np.stack([fitted(p.rgb, sent) for p in kept if p is not None])
    arm = newest_at((*observation.history, observation.robot), moments_ns, gap_s=gap_s)
    _all_there(arm, "there is no arm state for an earlier step")
    for vector in mapping.state:
        states[vector.key] = np.stack([state_of(r, vector) for r in arm if r is not None])
    return Request(
        stamp_ns=observation.stamp_ns,
        text="" if mapping.prompt_key == "none" else text,
        pictures=pictures,
        state=states,
    )


def blank_request(seen: ObservationSpec, mapping: Mapping) -> Request:
    """The first request after connecting: black pictures, an arm at its zero position."""
    return Request(
        stamp_ns=0,
        text="" if mapping.prompt_key == "none" else "wait",
        pictures={
            c.key: np.zeros((seen.steps, c.height_px, c.width_px, 3), np.uint8)
            for c in mapping.cameras
        },
        state={
            s.key: np.repeat(state_of(blank_arm(s), s)[None], seen.steps, axis=0)
            for s in mapping.state
        },
    )


def blank_arm(vector: SentState | None) -> RobotState:
    """An arm whose joints are at zero and whose tool is at the base."""
    names = vector.joints.names if vector is not None and vector.joints is not None else ()
    return RobotState(
        stamp_ns=0,
        joint_position_rad=np.zeros(len(names)),
        joint_names=names,
        base_from_tool=np.eye(4),
        gripper_open=1.0,
    )


def fitted(rgb: UInt8[np.ndarray, "h w 3"], sent: SentCamera) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The part of a picture that the server uses, at its size."""
    height, width = rgb.shape[:2]
    if sent.crop != "none":
        left, top, right, bottom = sent.crop
        columns = slice(round(left * width), max(round(right * width), round(left * width) + 1))
        rows = slice(round(top * height), max(round(bottom * height), round(top * height) + 1))
        rgb = np.ascontiguousarray(rgb[rows, columns])
        height, width = rgb.shape[:2]
    if sent.fit == "stretch":
        return stretched(rgb, width_px=sent.width_px, height_px=sent.height_px)
    share = min(sent.width_px / width, sent.height_px / height)
    small = stretched(
        rgb,
        width_px=max(1, min(sent.width_px, round(width * share))),
        height_px=max(1, min(sent.height_px, round(height * share))),
    )
    right, below = sent.width_px - small.shape[1], sent.height_px - small.shape[0]
    edges = (below // 2, below - below // 2, right // 2, right - right // 2)
    return cv2.copyMakeBorder(small, *edges, cv2.BORDER_CONSTANT, value=(0, 0, 0))


def state_of(robot: RobotState, vector: SentState) -> Float32[np.ndarray, " n"]:
    """The arm in a server's order and units. Raises `ValueError` naming missing joints."""
    values = np.zeros(vector.width, np.float32)
    if vector.tool is not None:
        parts = foreign_poses(vector.tool, robot.base_from_tool[None])
        values[_places(vector.tool.position)] = parts["position"][0]
        values[_places(vector.tool.rotation_columns)] = parts["rotation"][0]
    if vector.joints is not None:
        position = joint_state(robot, vector.joints.names)[:-1]
        values[_places(vector.joints.columns)] = position / vector.joints.radians
    if vector.gripper is not None:
        closed, opened = vector.gripper.closed, vector.gripper.open
        place = _places((vector.gripper.column,))
        values[place] = closed + robot.gripper_open * (opened - closed)
    return values


def _places(columns: tuple[Column, ...]) -> list[int]:
    return [int(column) for column in columns]  # `SentState` allows numbers only


def _pictures(
    observation: Observation, sent: SentCamera, seen: ObservationSpec
) -> tuple[Picture, ...]:
    frame = observation.perception.frame
    if sent.camera not in observation.pictures and sent.camera == seen.cameras[0].name:
        return (Picture(stamp_ns=frame.stamp_ns, rgb=frame.rgb, depth_m=frame.depth_m),)
    return observation.pictures.get(sent.camera, ())


def _all_there(found: tuple[Picture | RobotState | None, ...], problem: str) -> None:
    if any(item is None for item in found):
        raise ValueError(problem)
