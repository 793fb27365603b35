"""Encodes an observation as the tokens of a policy's network (`tokens.py`).

Training and service use the same code.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from robot_vision.core.cameras.geometry import (
    deproject,
    invert_transform,
    rays_of,
    transform_points,
)
from robot_vision.core.errors import ConfigError
from robot_vision.core.results.appearance import pool_appearance
from robot_vision.core.types import (
    Camera,
    Observation,
    Perception,
    Tracks,
    TrackState,
)
from robot_vision.policies.observing.color_features import object_colors, scene_light
from robot_vision.policies.observing.robot_token import robot_token, tool_yaw
from robot_vision.policies.observing.surface import SurfaceView, see_surface
from robot_vision.policies.observing.tokens import (
    FEATURES,
    MAX_CLASSES,
    MAX_OBJECTS,
    OBJECT_SLICES,
    OBJECT_WIDTH,
    USUAL_HEIGHT_M,
    PolicyInputs,
)
from robot_vision.policies.observing.visual_tokens import measured_depth, visual_tokens

# Larger ages carry no more information.
_LONGEST_S = 3.0
# A flatter line of sight meets the table at an arbitrary place.
_LEAST_SLOPE = 0.05


def encode_observation(observation: Observation, *, history: int) -> PolicyInputs:
    """Tokens of an observation; raises `ConfigError` if its features have the wrong size."""
    perception = observation.perception
    _check_features(perception)
    row = _chosen_rows(perception)
    tokens = np.zeros((MAX_OBJECTS, OBJECT_WIDTH), np.float32)
    track_id = np.full(MAX_OBJECTS, -1, np.int64)
    if len(row):
        tokens[: len(row)] = _object_tokens(observation, row)
        track_id[: len(row)] = perception.tracks.track_id[row]
    return PolicyInputs(
        objects=tokens,
        present=np.arange(MAX_OBJECTS) < len(row),
        track_id=track_id,
        visual=visual_tokens(observation),
        has_visual=perception.features is not None,
        robot=robot_token(observation.robot, observation.history, history),
    )


def _check_features(perception: Perception) -> None:
    if perception.features is not None and perception.features.grid.shape[0] != FEATURES:
        raise ConfigError(
            f"features of {perception.model_id} have {perception.features.grid.shape[0]} "
            f"channels; the policy expects {FEATURES}"
        )
    if len(perception.class_names) > MAX_CLASSES:
        raise ConfigError(
            f"{perception.model_id} has {len(perception.class_names)} classes; the policy "
            f"supports at most {MAX_CLASSES}"
        )


def _chosen_rows(perception: Perception) -> Int64[np.ndarray, " k"]:
    """The tracks that become tokens: confirmed and coasting ones before tentative ones.

    Objects seen where the lens has no rays are left out: their position would become the origin.
    """
    tracks = perception.tracks
    tentative = tracks.state == TrackState.TENTATIVE
    order = np.lexsort((-tracks.score, tentative))
    fits = tracks.state != TrackState.ENDED
    if perception.frame.camera is not None:
        ray = rays_of(_middle(tracks.box_xyxy_px), camera=perception.frame.camera)
        fits &= np.isfinite(ray).all(axis=1)
    return np.sort(order[fits[order]][:MAX_OBJECTS])


def _middle(box_px: Float32[np.ndarray, "k 4"]) -> Float32[np.ndarray, "k 2"]:
    return (box_px[:, :2] + box_px[:, 2:]) / 2


def _object_tokens(
    observation: Observation, row: Int64[np.ndarray, " k"]
) -> Float32[np.ndarray, "k o"]:
    perception, tracks = observation.perception, observation.perception.tracks
    tokens = np.zeros((len(row), OBJECT_WIDTH), np.float32)
    at = {name: tokens[:, place] for name, place in OBJECT_SLICES.items()}
    height_px, width_px = perception.frame.rgb.shape[:2]
    box_px = tracks.box_xyxy_px[row]
    _fill_track(at, tracks, row, width_px=width_px, height_px=height_px)
    _fill_colors(at, perception, row)
    if perception.features is not None:
        at["appearance"][:] = pool_appearance(
            perception.features, box_px, width_px=width_px, height_px=height_px
        )
    _fill_places(at, observation, row)
    np.nan_to_num(tokens, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return tokens


def _fill_track(
    at: dict[str, np.ndarray],
    tracks: Tracks,
    row: Int64[np.ndarray, " k"],
    *,
    width_px: int,
    height_px: int,
) -> None:
    """The tracker's values, except positions."""
    box = tracks.box_xyxy_px[row] / np.array([width_px, height_px] * 2, np.float32)
    at["box"][:, :2] = (box[:, :2] + box[:, 2:]) / 2 - 0.5
    at["box"][:, 2:] = box[:, 2:] - box[:, :2]
    at["age_and_unseen"][:, 0] = np.minimum(tracks.age_s[row], _LONGEST_S)
    at["age_and_unseen"][:, 1] = np.minimum(tracks.unseen_s[row], _LONGEST_S)
    at["score"][:, 0] = tracks.score[row]
    at["coasting"][:, 0] = tracks.state[row] == TrackState.COASTING
    at["confirmed"][:, 0] = tracks.state[row] == TrackState.CONFIRMED
    at["class_score"][np.arange(len(row)), tracks.class_id[row]] = tracks.score[row]


def _fill_places(
    at: dict[str, np.ndarray], observation: Observation, row: Int64[np.ndarray, " k"]
) -> None:
    """Positions of objects: by their visible surface, by the track, or by the line of sight
    alone."""
    perception, tracks = observation.perception, observation.perception.tracks
    base_from_tool = observation.robot.base_from_tool
    camera = perception.frame.camera
    measured = measured_depth(perception) is not None
    lifted = _transformed(observation.base_from_camera, tracks.position_in_camera_m[row])
    has_lifted = np.asarray(np.isfinite(lifted).all(axis=1) & measured)
    at["has_position"][:, 0] = has_lifted
    velocity = tracks.velocity_in_camera_mps[row] @ observation.base_from_camera[:3, :3].T
    at["velocity"][:] = np.where(has_lifted[:, None], np.clip(velocity, -1, 1), 0)
    at["size"][:] = np.where(has_lifted[:, None], tracks.size_m[row], 0)
    if camera is None:
        return
    ground = _ground_points(tracks.box_xyxy_px[row], observation.base_from_camera, camera)
    centre = np.where(has_lifted[:, None], lifted, _on_table(ground))
    for index, surface in enumerate(_surfaces(observation, row)):
        if surface is not None:
            centre[index] = surface.centre_m
            _fill_surface(at, index, surface, base_from_tool)
    tool = base_from_tool[:3, 3]
    at["centre"][:] = centre
    at["centre_from_tool"][:] = centre - tool
    at["centre_in_tool"][:] = (centre - tool) @ base_from_tool[:3, :3]
    at["lifted_from_centre"][:] = np.where(has_lifted[:, None], lifted - centre, 0)
    at["ground_from_tool"][:] = np.clip(ground - np.tile(tool[:2], 2), -1, 1)


def _surfaces(observation: Observation, row: Int64[np.ndarray, " k"]) -> list[SurfaceView | None]:
    """The visible surface of each object detected in this frame, if there is depth."""
    perception = observation.perception
    camera, depth = perception.frame.camera, measured_depth(perception)
    if camera is None or depth is None:
        return [None] * len(row)
    tool_from_base = invert_transform(observation.robot.base_from_tool)
    found: list[SurfaceView | None] = [None] * len(row)
    for place, index in enumerate(row):
        if perception.tracks.detection_index[index] >= 0:
            found[place] = see_surface(
                perception.tracks.box_xyxy_px[index],
                mask=_mask_of(perception, index),
                depth_m=depth,
                camera=camera,
                base_from_camera=observation.base_from_camera,
                tool_from_base=tool_from_base,
            )
    return found


def _fill_colors(
    at: dict[str, np.ndarray], perception: Perception, row: Int64[np.ndarray, " k"]
) -> None:
    """Colours of the objects detected in this frame; the scene's light for all."""
    tracks, rgb = perception.tracks, perception.frame.rgb
    at["light"][:] = scene_light(rgb)
    for place, index in enumerate(row):
        if tracks.detection_index[index] < 0:
            continue
        box, mask = tracks.box_xyxy_px[index], _mask_of(perception, index)
        for name, value in object_colors(rgb, box, mask).items():
            at[name][place] = value


def _mask_of(perception: Perception, index: np.int64) -> Bool[np.ndarray, "hm wm"] | None:
    """The mask of a detected track, if the model outputs masks."""
    mask = perception.detections.mask
    return None if mask is None else mask[perception.tracks.detection_index[index]]


def _fill_surface(
    at: dict[str, np.ndarray],
    index: int,
    surface: SurfaceView,
    base_from_tool: Float[np.ndarray, "4 4"],
) -> None:
    at["has_surface"][index] = 1
    at["top_and_low"][index] = surface.top_m, surface.low_m
    at["spread"][index] = surface.spread_m
    at["axis"][index] = surface.axis
    at["axis_from_tool"][index] = _turned(surface.axis, -2 * tool_yaw(base_from_tool))
    at["extent"][index] = surface.extent_m
    at["sides"][index] = surface.sides_m
    at["heights"][index] = surface.heights_m.ravel()


def _ground_points(
    box_px: Float32[np.ndarray, "k 4"], base_from_camera: Float[np.ndarray, "4 4"], camera: Camera
) -> Float[np.ndarray, "k 4"]:
    """Where lines of sight meet the table: x y through each box's centre, a little above the
    table, then x y through the middle of its lower edge."""
    middle = _middle(box_px)
    bottom = np.stack([middle[:, 0], box_px[:, 3]], axis=1)
    at_middle = _on_plane(middle, base_from_camera, camera, height_m=USUAL_HEIGHT_M)
    at_bottom = _on_plane(bottom, base_from_camera, camera, height_m=0.0)
    # The lens may have no ray at the edge of the image.
    at_bottom = np.where(np.isnan(at_bottom), at_middle, at_bottom)
    return np.concatenate([at_middle, at_bottom], axis=1)


def _on_plane(
    pixel: Float[np.ndarray, "k 2"],
    base_from_camera: Float[np.ndarray, "4 4"],
    camera: Camera,
    *,
    height_m: float,
) -> Float[np.ndarray, "k 2"]:
    ray = deproject(pixel, np.ones(len(pixel)), camera=camera) @ base_from_camera[:3, :3].T
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    eye = base_from_camera[:3, 3]
    reach_m = (eye[2] - height_m) / np.maximum(-ray[:, 2], _LEAST_SLOPE)
    return eye[:2] + ray[:, :2] * reach_m[:, None]


def _on_table(ground: Float[np.ndarray, "k 4"]) -> Float[np.ndarray, "k 3"]:
    return np.concatenate([ground[:, :2], np.full((len(ground), 1), USUAL_HEIGHT_M)], axis=1)


def _turned(vector: Float[np.ndarray, "2"], angle_rad: float) -> Float[np.ndarray, "2"]:
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([cos * vector[0] - sin * vector[1], sin * vector[0] + cos * vector[1]])


def _transformed(a_from_b: np.ndarray, point_in_b: np.ndarray) -> Float[np.ndarray, "*n 3"]:
    flat = transform_points(a_from_b, point_in_b.reshape(-1, 3).astype(np.float64))
    return flat.reshape(point_in_b.shape)
