"""The values of the node's output messages for one frame, as nested dicts."""

import colorsys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from robot_vision.core.objects import Objects, class_name, json_of, objects_of
from robot_vision.core.types import Perception
from robot_vision.viz.overlay import draw_overlay

UNKNOWN_SIZE_M = 0.1
CUBE, TEXT, DELETE_ALL = 1, 9, 3
DEPTH_STEPS_PER_M = 1024.0
JPEG_QUALITY = 85


@dataclass(frozen=True, kw_only=True)
class OutputMessage:
    """A topic of the node; `values` gives None where a frame has nothing for it."""

    topic: str
    type_name: str
    values: Callable[[Perception], dict[str, Any] | None]
    image: str = ""


def _detections(perception: Perception) -> dict[str, Any]:
    detections, tracks = perception.detections, perception.tracks
    id_of = dict(zip(tracks.detection_index.tolist(), tracks.track_id.tolist(), strict=True))
    items = []
    for row, (x0, y0, x1, y1) in enumerate(detections.box_xyxy_px.tolist()):
        name = class_name(perception.class_names, int(detections.class_id[row]))
        center = {"position": {"x": (x0 + x1) / 2, "y": (y0 + y1) / 2}}
        items.append(
            {
                "header": _header(perception),
                "id": str(id_of.get(row, "")),
                "results": [_hypothesis(name, float(detections.score[row]))],
                "bbox": {"center": center, "size_x": x1 - x0, "size_y": y1 - y0},
            }
        )
    return {"header": _header(perception), "detections": items}


def _objects(perception: Perception) -> dict[str, Any]:
    objects = objects_of(perception)
    items = []
    for row in sorted(objects.visible_rows(), key=lambda row: -objects.score[row]):
        covariance = np.zeros((6, 6))
        covariance[:3, :3] = objects.covariance_m2[row]
        pose = {"pose": _pose(objects, row), "covariance": covariance.reshape(36)}
        hypothesis = _hypothesis(objects.class_name[row], objects.score[row]) | {"pose": pose}
        items.append(
            {
                "header": _header(perception),
                "id": str(objects.track_id[row]),
                "results": [hypothesis],
                "bbox": {
                    "center": _pose(objects, row),
                    "size": _vector(np.nan_to_num(objects.size_m[row])),
                },
            }
        )
    return {"header": _header(perception), "detections": items}


def _markers(perception: Perception) -> dict[str, Any]:
    objects = objects_of(perception)
    markers: list[dict[str, Any]] = [{"header": _header(perception), "action": DELETE_ALL}]
    for row in objects.visible_rows():
        size_m = np.where(np.isfinite(objects.size_m[row]), objects.size_m[row], UNKNOWN_SIZE_M)
        track_id, name = objects.track_id[row], objects.class_name[row]
        # Steps of the golden ratio keep the hues of neighbouring ids apart.
        red, green, blue = colorsys.hsv_to_rgb(track_id * 0.618034 % 1.0, 0.7, 1.0)
        shared = {
            "header": _header(perception),
            "id": track_id % 2**31,
            "pose": _pose(objects, row),
            "color": {"r": red, "g": green, "b": blue, "a": 0.6},
            "lifetime": {"sec": 1},
        }
        box = {"ns": name, "type": CUBE, "scale": _vector(np.maximum(size_m, 0.01))}
        label = {
            "ns": f"{name}/label",
            "type": TEXT,
            "scale": {"z": 0.08},
            "text": f"{name} {track_id} {objects.score[row]:.2f}",
        }
        markers += [shared | box, shared | label]
    return {"markers": markers}


def _json(perception: Perception) -> dict[str, Any]:
    stage_s = dict(perception.stage_s)
    text = json_of(
        objects_of(perception), perception, age_s=sum(stage_s.values()), stage_s=stage_s
    )
    return {"data": text}


def _depth(perception: Perception) -> dict[str, Any] | None:
    if perception.depth is None:
        return None
    # The last bits of a float hold noise below a millimetre, which no compression can shrink.
    depth_m = np.round(perception.depth.depth_m * DEPTH_STEPS_PER_M) / np.float32(
        DEPTH_STEPS_PER_M
    )
    height_px, width_px = depth_m.shape
    return {
        "header": _header(perception),
        "height": height_px,
        "width": width_px,
        "encoding": "32FC1",
        "step": 4 * width_px,
        "data": np.ascontiguousarray(depth_m, np.float32).reshape(-1).view(np.uint8),
    }


def _depth_info(perception: Perception) -> dict[str, Any] | None:
    camera, depth = perception.frame.camera, perception.depth
    if camera is None or depth is None:
        return None
    height_px, width_px = depth.depth_m.shape
    sx, sy = width_px / camera.width_px, height_px / camera.height_px
    # Pixel centres are at integers: the image's edge, at −½, is what scaling keeps in place.
    fx_px, fy_px = camera.fx_px * sx, camera.fy_px * sy
    cx_px, cy_px = (camera.cx_px + 0.5) * sx - 0.5, (camera.cy_px + 0.5) * sy - 0.5
    return {
        "header": _header(perception),
        "height": height_px,
        "width": width_px,
        "distortion_model": "plumb_bob" if len(camera.distortion) <= 5 else "rational_polynomial",
        "d": camera.distortion,
        "k": [fx_px, 0, cx_px, 0, fy_px, cy_px, 0, 0, 1],
        "r": [1, 0, 0, 0, 1, 0, 0, 0, 1],
        "p": [fx_px, 0, cx_px, 0, 0, fy_px, cy_px, 0, 0, 0, 1, 0],
    }


def _overlay(perception: Perception) -> dict[str, Any]:
    bgr = cv2.cvtColor(draw_overlay(perception), cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return {"header": _header(perception), "format": "jpeg", "data": jpeg.reshape(-1)}


def _header(perception: Perception) -> dict[str, Any]:
    seconds, nanoseconds = divmod(perception.stamp_ns, 1_000_000_000)
    stamp = {"sec": seconds, "nanosec": nanoseconds}
    return {"stamp": stamp, "frame_id": perception.frame.frame_id}


def _hypothesis(name: str, score: float) -> dict[str, Any]:
    return {"hypothesis": {"class_id": name, "score": score}}


def _pose(objects: Objects, row: int) -> dict[str, Any]:
    return {"position": _vector(objects.position_m[row]), "orientation": {"w": 1.0}}


def _vector(values: np.ndarray) -> dict[str, float]:
    x, y, z = values.astype(np.float64).tolist()
    return {"x": x, "y": y, "z": z}


MESSAGES = (
    OutputMessage(
        topic="detections", type_name="vision_msgs/msg/Detection2DArray", values=_detections
    ),
    OutputMessage(topic="objects", type_name="vision_msgs/msg/Detection3DArray", values=_objects),
    OutputMessage(
        topic="objects/markers", type_name="visualization_msgs/msg/MarkerArray", values=_markers
    ),
    OutputMessage(topic="objects/json", type_name="std_msgs/msg/String", values=_json),
    OutputMessage(
        topic="depth/image", type_name="sensor_msgs/msg/Image", values=_depth, image="depth"
    ),
    OutputMessage(
        topic="depth/camera_info",
        type_name="sensor_msgs/msg/CameraInfo",
        values=_depth_info,
        image="depth",
    ),
    OutputMessage(
        topic="overlay/compressed",
        type_name="sensor_msgs/msg/CompressedImage",
        values=_overlay,
        image="overlay",
    ),
)
