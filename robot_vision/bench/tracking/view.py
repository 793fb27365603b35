"""A camera's view of a scene in one frame, with visibilities."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from robot_vision.bench.tracking.scene import Scene
from robot_vision.core.cameras.geometry import invert_transform

# Visibility is sampled on a grid with this many points per side.
SAMPLES = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A scene in one frame: all objects, including those out of sight."""

    position_m: Float[np.ndarray, "n 3"]
    box_xyxy_px: Float[np.ndarray, "n 4"]
    seen_box_xyxy_px: Float[np.ndarray, "n 4"]
    visible: Float[np.ndarray, " n"]
    in_view: Bool[np.ndarray, " n"]


def view_of(scene: Scene, k: int) -> View:
    camera_from_fixed = invert_transform(scene.fixed_from_camera[k])
    position = scene.position_m[k] @ camera_from_fixed[:3, :3].T + camera_from_fixed[:3, 3]
    depth = np.maximum(position[:, 2], 0.05)
    focal = np.array([scene.camera.fx_px, scene.camera.fy_px])
    centre = position[:, :2] / depth[:, None] * focal
    centre += [scene.camera.cx_px, scene.camera.cy_px]
    half = scene.size_m[:, :2] / depth[:, None] * focal / 2
    whole = np.concatenate([centre - half, centre + half], axis=1)
    box = clip(whole, scene)
    inside = _area(box) / np.maximum(_area(whole), 1e-9)
    in_view = (inside > 0.2) & (position[:, 2] > 0.15)
    visible, seen_box = _visibility(box, depth=depth, in_view=in_view)
    return View(
        position_m=position,
        box_xyxy_px=box,
        seen_box_xyxy_px=seen_box,
        visible=visible,
        in_view=in_view,
    )


def _visibility(
    box: np.ndarray, *, depth: np.ndarray, in_view: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Share of each box that no nearer box covers, and the bounds of that part."""
    step = (np.arange(SAMPLES) + 0.5) / SAMPLES
    grid = np.stack(np.meshgrid(step, step), axis=-1).reshape(-1, 2)
    point = box[:, None, :2] + grid[None] * (box[:, None, 2:] - box[:, None, :2])
    above = np.all(point[:, :, None] >= box[None, None, :, :2], axis=3)
    below = np.all(point[:, :, None] <= box[None, None, :, 2:], axis=3)
    nearer = np.less(depth[None, :], depth[:, None]) & in_view[None, :]
    free = ~np.any(above & below & nearer[:, None, :], axis=2)
    low = np.where(free[..., None], point, np.inf).min(axis=1)
    high = np.where(free[..., None], point, -np.inf).max(axis=1)
    cell = (box[:, 2:] - box[:, :2]) / SAMPLES / 2
    seen = np.concatenate([low - cell, high + cell], axis=1)
    hidden = ~np.any(free, axis=1)
    return free.mean(axis=1), np.where(hidden[:, None], box, seen)


def clip(boxes: Float[np.ndarray, "*n 4"], scene: Scene) -> Float[np.ndarray, "*n 4"]:
    limit = [scene.camera.width_px, scene.camera.height_px] * 2
    return np.clip(boxes, 0, limit)


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
