"""Converts an observation to inputs of a policy from pixels; missing parts are masked and named.

Closed-loop training and the service use the same function. Inputs have the names of the served
graph: `rgb_<camera>`, `seen_<camera>`, `depth_<camera>`, `age_s`, `state`, …, batch 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from robot_vision.codecs.stretch import stretched, stretched_depth
from robot_vision.core.clock import seconds_between
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.core.types import Observation, Picture
from robot_vision.policies.observing.observation import encode_observation
from robot_vision.policies.observing.tokens import MAX_OBJECTS, OBJECT_WIDTH
from robot_vision.policies.pixels.history import (
    asked_ns,
    joint_state,
    most_gap_s,
    newest_at,
    tool_state,
)

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class PixelInputs:
    """Arrays by input name, and descriptions of what was masked."""

    arrays: Mapping[str, np.ndarray]
    masked: tuple[str, ...]


def pixel_inputs(
    observation: Observation, seen: ObservationSpec, *, history: int = 0
) -> PixelInputs:
    """Everything of an observation except the instruction. `history` is the action spec's, for
    tracks.

    Raises `ValueError` if the arm lacks joints that the policy was trained with.
    """
    arrays: Arrays = {}
    masked: list[str] = []
    moments_ns = asked_ns(observation.stamp_ns, seen)
    age_s = np.array([[seconds_between(m, observation.stamp_ns) for m in moments_ns]], np.float32)
    for place, camera in enumerate(seen.cameras):
        kept = _pictures(observation, camera, is_first=place == 0)
        chosen = newest_at(kept, moments_ns, gap_s=most_gap_s(seen))
        _fill_camera(arrays, masked, camera, chosen)
        if place == 0:
            for step, picture in enumerate(chosen):
                if picture is not None:
                    age_s[0, step] = seconds_between(picture.stamp_ns, observation.stamp_ns)
    if seen.cameras or seen.state != "none":
        arrays["age_s"] = age_s
    if seen.state != "none":
        _fill_state(arrays, masked, observation, seen, moments_ns)
    if "features" in seen.perception:
        _fill_features(arrays, masked, observation)
    if "tracks" in seen.perception:
        _fill_tracks(arrays, observation, history)
    return PixelInputs(arrays=arrays, masked=tuple(masked))


def _pictures(
    observation: Observation, camera: CameraInput, *, is_first: bool
) -> tuple[Picture, ...]:
    """A camera's pictures; if the first camera has none, perception's frame is used."""
    frame = observation.perception.frame
    if is_first and camera.name not in observation.pictures:
        return (Picture(stamp_ns=frame.stamp_ns, rgb=frame.rgb, depth_m=frame.depth_m),)
    return observation.pictures.get(camera.name, ())


def _fill_camera(
    arrays: Arrays, masked: list[str], camera: CameraInput, chosen: tuple[Picture | None, ...]
) -> None:
    size = {"width_px": camera.width_px, "height_px": camera.height_px}
    shape = (1, len(chosen), camera.height_px, camera.width_px)
    rgb, depth_m = np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.float32)
    has_rgb = np.array([[picture is not None for picture in chosen]])
    has_depth = np.zeros_like(has_rgb)
    for step, picture in enumerate(chosen):
        if picture is None:
            continue
        rgb[0, step] = stretched(picture.rgb, **size)
        if camera.has_depth and picture.depth_m is not None:
            depth_m[0, step] = stretched_depth(picture.depth_m, **size)
            has_depth[0, step] = bool(depth_m[0, step].any())
    arrays |= {f"rgb_{camera.name}": rgb, f"seen_{camera.name}": has_rgb}
    _note(masked, f"camera {camera.name}", has_rgb)
    if camera.has_depth:
        arrays |= {f"depth_{camera.name}": depth_m, f"depth_seen_{camera.name}": has_depth}
        _note(masked, f"depth of {camera.name}", has_depth)


def _fill_state(
    arrays: Arrays,
    masked: list[str],
    observation: Observation,
    seen: ObservationSpec,
    moments_ns: tuple[int, ...],
) -> None:
    states = (*observation.history, observation.robot)
    chosen = newest_at(states, moments_ns, gap_s=most_gap_s(seen))
    rows = np.zeros((1, len(chosen), seen.state_width), np.float32)
    for step, robot in enumerate(chosen):
        if robot is not None:
            is_tool = seen.state == "tool"
            rows[0, step] = tool_state(robot) if is_tool else joint_state(robot, seen.joint_names)
    has_state = np.array([[robot is not None for robot in chosen]])
    arrays |= {"state": rows, "state_seen": has_state}
    _note(masked, "state of the arm", has_state)


def _fill_features(arrays: Arrays, masked: list[str], observation: Observation) -> None:
    features = observation.perception.features
    if features is not None:
        arrays["features"] = features.grid[None].astype(np.float32)
    arrays["features_seen"] = np.array([[features is not None]])
    _note(masked, "features of perception", arrays["features_seen"])


def _fill_tracks(arrays: Arrays, observation: Observation, history: int) -> None:
    tokens = encode_observation(observation, history=history)
    assert tokens.objects.shape == (MAX_OBJECTS, OBJECT_WIDTH)
    arrays |= {"tracks": tokens.objects[None], "tracks_seen": tokens.present[None]}


def _note(masked: list[str], what: str, is_there: np.ndarray) -> None:
    gone = int((~is_there).sum())
    if gone:
        steps = is_there.size
        masked.append(what if steps == 1 or gone == steps else f"{what} ({gone} of {steps} steps)")
