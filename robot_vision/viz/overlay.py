"""Draws results on the frame: tracks, depth inset, status. Does not depend on ROS."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.core.boxes import oriented_corners
from robot_vision.core.results.grounded import grounded_part
from robot_vision.core.results.shapes import by_track
from robot_vision.core.types import Perception, Tracks, TrackState
from robot_vision.viz.classes import legend, tint
from robot_vision.viz.palette import Rgb, color_of, ink_on
from robot_vision.viz.skeleton import draw_skeleton

Trails: TypeAlias = Mapping[int, Sequence[tuple[float, float]]]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INSET_SHARE = 0.22
_DASH_PX = 7.0
_TEXT_SCALE, _MARGIN_PX = 0.45, 3
_SHADE: Rgb = (24, 24, 24)
_PAPER: Rgb = (255, 255, 255)
_WORDS: Rgb = (255, 0, 200)  # boxes of a prompt's objects


def draw_overlay(
    perception: Perception, *, age_s: float | None = None, trails: Trails | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """The frame with boxes named `name #id 1.23 m`, a depth inset and a status below.

    With a segmentation model, classes tint the pixels below the boxes; a legend at the top left
    shows the frame's most likely classes and the tints. Coasting tracks (predicted, not seen) are
    dashed. Tracks with an oriented box are drawn with it, those with keypoints get a skeleton.
    Objects of the prompt have their own colour. `age_s` is the age of the frame at its output;
    `trails` are past centres in pixels by track id.
    """
    image = perception.frame.rgb.copy()
    unit = max(1.0, image.shape[1] / 640)
    if perception.segmentation is not None:
        tint(image, perception.segmentation)
    for track_id, points in (trails or {}).items():
        _draw_trail(image, points, color_of(track_id), unit)
    found, tracks = perception.detections, perception.tracks
    oriented, keypoint = by_track(found.oriented_box, tracks), by_track(found.keypoint, tracks)
    corners = _corners(tracks.box_xyxy_px, oriented)
    for index in range(len(tracks)):
        _draw_track(image, perception, index, corners[index], unit)
    _draw_named(image, perception, unit)
    for row in () if keypoint is None else keypoint:
        draw_skeleton(image, row, found.keypoint_names, unit)
    if perception.depth is not None:
        _draw_inset(image, perception.depth.depth_m)
    _draw_legend(image, perception, unit)
    _draw_status(image, perception, age_s, unit)
    return image


def colorize_depth(
    depth_m: Float32[np.ndarray, "h w"], *, max_m: float | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """Depth as colour, near bright and far dark; black where unknown.

    `max_m` is the far end of the scale; by default the 95th percentile.
    """
    valid = np.isfinite(depth_m)
    if not valid.any():
        return np.zeros((*depth_m.shape, 3), np.uint8)
    far_m = max_m or float(np.percentile(depth_m[valid], 95))
    near = 1 - np.where(valid, depth_m, far_m) / max(far_m, 1e-6)
    levels = np.clip(255 * near, 0, 255).astype(np.uint8)
    # Cividis suits colour-blind readers: lightness alone shows the order.
    colors = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_CIVIDIS), cv2.COLOR_BGR2RGB)
    colors[~valid] = 0
    return colors


def label_of(perception: Perception, index: int) -> str:
    """`name #id 1.23 m` of a track, without the distance if unknown."""
    tracks = perception.tracks
    class_id = int(tracks.class_id[index])
    known = 0 <= class_id < len(perception.class_names)
    name = perception.class_names[class_id] if known else f"class {class_id}"
    distance_m = float(np.linalg.norm(tracks.position_in_camera_m[index]))
    text = f"{name} #{tracks.track_id[index]}"
    return f"{text} {distance_m:.2f} m" if np.isfinite(distance_m) else text


def _corners(
    box_xyxy_px: Float32[np.ndarray, "n 4"], oriented: Float32[np.ndarray, "n 5"] | None
) -> Float32[np.ndarray, "n 4 2"]:
    """Corners of the boxes in order; upright if no oriented box was seen."""
    corners = box_xyxy_px[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    if oriented is not None:
        seen = np.isfinite(oriented).all(axis=1)
        corners[seen] = oriented_corners(oriented[seen])
    return corners


def _draw_named(image: np.ndarray, perception: Perception, unit: float) -> None:
    """Draw the objects of the prompt, all in one colour."""
    part = grounded_part(perception)
    if part is not None:
        for index, corners in enumerate(_corners(part.tracks.box_xyxy_px, None)):
            _draw_track(image, part, index, corners, unit, color=_WORDS)


def _draw_track(
    image: np.ndarray,
    perception: Perception,
    index: int,
    corners_px: Float32[np.ndarray, "4 2"],
    unit: float,
    *,
    color: Rgb | None = None,
) -> None:
    tracks: Tracks = perception.tracks
    if tracks.state[index] == TrackState.ENDED or not np.isfinite(corners_px).all():
        return
    limit = 4 * max(image.shape)  # OpenCV's coordinates are 16.16 bits: far corners wrap around
    clipped = corners_px.round().clip(-limit, limit).astype(int)
    left, top = (int(value) for value in clipped.min(axis=0))
    color = color or color_of(int(tracks.track_id[index]))
    corners = [(x, y) for x, y in clipped.tolist()]
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        if tracks.state[index] == TrackState.COASTING:
            _dashed_line(image, start, end, color, unit)
        else:
            cv2.line(image, start, end, color, round(2 * unit), cv2.LINE_AA)
    _tag(image, label_of(perception, index), (left, top), color, unit)


def _dashed_line(
    image: np.ndarray, start: tuple[int, int], end: tuple[int, int], color: Rgb, unit: float
) -> None:
    ends = np.array([start, end], float)
    length = float(np.linalg.norm(ends[1] - ends[0]))
    count = min(max(2, int(length / (_DASH_PX * unit))), 400)
    for first in range(0, count, 2):
        dash = ends[0] + (ends[1] - ends[0]) * np.array([[first], [first + 1]]) / count
        a, b = dash.round().astype(int).tolist()
        cv2.line(image, a, b, color, round(2 * unit), cv2.LINE_AA)


def _tag(image: np.ndarray, text: str, corner: tuple[int, int], color: Rgb, unit: float) -> int:
    """Draw a label above `corner`, moved to stay inside the image; returns its top."""
    scale, margin = _TEXT_SCALE * unit, round(_MARGIN_PX * unit)
    (width, height), baseline = cv2.getTextSize(text, _FONT, scale, 1)
    plate_height = height + baseline + margin
    left = int(np.clip(corner[0], 0, max(0, image.shape[1] - width - 2 * margin)))
    top = int(np.clip(corner[1] - plate_height, 0, max(0, image.shape[0] - plate_height)))
    cv2.rectangle(
        image, (left, top), (left + width + 2 * margin, top + plate_height), color, cv2.FILLED
    )
    origin = (left + margin, top + height + margin)
    cv2.putText(image, text, origin, _FONT, scale, ink_on(color), 1, cv2.LINE_AA)
    return top


def _draw_trail(
    image: np.ndarray, points: Sequence[tuple[float, float]], color: Rgb, unit: float
) -> None:
    path = np.array(points, float).reshape(-1, 1, 2)
    path = path[np.isfinite(path).all(axis=(1, 2))].round().astype(np.int32)
    cv2.polylines(image, [path], False, color, round(unit), cv2.LINE_AA)


def _draw_inset(image: np.ndarray, depth_m: np.ndarray) -> None:
    """Depth in the top right corner, with a thin frame."""
    width = round(image.shape[1] * _INSET_SHARE)
    height = round(width * depth_m.shape[0] / depth_m.shape[1])
    if min(width, height) < 8 or height > image.shape[0] / 2:
        return
    small = cv2.resize(depth_m, (width, height), interpolation=cv2.INTER_NEAREST)
    image[:height, -width:] = colorize_depth(small)
    cv2.rectangle(image, (image.shape[1] - width, 0), (image.shape[1] - 1, height - 1), _PAPER, 1)


def _draw_legend(image: np.ndarray, perception: Perception, unit: float) -> None:
    """Draw the legend at the top left, as many lines as fit above the status."""
    bottom = 0
    for text, color in legend(perception.classification, perception.segmentation):
        height = cv2.getTextSize(text, _FONT, _TEXT_SCALE * unit, 1)[0][1]
        bottom += height + round(4 * _MARGIN_PX * unit)
        if bottom < image.shape[0] / 2:
            _tag(image, text, (0, bottom), color or _SHADE, unit)


def _draw_status(
    image: np.ndarray, perception: Perception, age_s: float | None, unit: float
) -> None:
    """Draw the status at the bottom: stamp, age, objects, depth, model, and missing inputs."""
    seen = int(np.count_nonzero(perception.tracks.state != TrackState.ENDED))
    parts = [f"{perception.stamp_ns / 1e9:.3f} s"]
    if age_s is not None:
        parts.append(f"age {age_s * 1e3:.1f} ms")
    parts.append(f"{seen} objects")
    if perception.depth is not None:
        parts.append(f"depth {perception.depth.source} {perception.depth.valid_fraction:.0%}")
    parts.append(perception.model_id)
    parts.extend(perception.notes)
    bottom = image.shape[0]
    for line in reversed(_lines(parts, image.shape[1], unit)):
        bottom = _tag(image, line, (0, bottom), _SHADE, unit)


def _lines(parts: Sequence[str], width_px: int, unit: float) -> list[str]:
    """`parts` in as few lines as fit the width; one that is too long gets its own line."""
    room_px = width_px - 2 * round(_MARGIN_PX * unit)
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}  {part}" if lines else part
        if lines and cv2.getTextSize(longer, _FONT, _TEXT_SCALE * unit, 1)[0][0] <= room_px:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines
