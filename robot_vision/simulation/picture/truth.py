"""Ground truth of a rendering: masks, tight boxes, visibility, poses."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int32

from robot_vision.core.cameras.geometry import project, transform_points
from robot_vision.core.types import Camera
from robot_vision.simulation.picture.scene import NEAR_M, Item, Scene
from robot_vision.simulation.picture.viewpoint import Viewpoint

# Below this an object is an ignore region (COCO's `iscrowd`), not a target.
MIN_VISIBLE_PX = 60
MIN_VISIBLE_SHARE = 0.15
_CANVAS_PX = 200
_NOISE_PX = 10  # objects with fewer pixels are left out


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """One visible object. `box_xyxy_px` is tight around the visible mask (right and lower edge
    exclusive); `visible_share` is of its whole silhouette, parts outside the picture included."""

    item_index: int
    class_name: str
    mask: Bool[np.ndarray, "h w"]
    box_xyxy_px: Float[np.ndarray, "4"]
    visible_share: float
    ignore: bool
    camera_from_object: Float[np.ndarray, "4 4"]


def observe(
    scene: Scene, viewpoint: Viewpoint, item_index: Int32[np.ndarray, "h w"]
) -> list[Truth]:
    """Visible objects of the scene, without distractors."""
    pixels = np.bincount(item_index[item_index >= 0], minlength=len(scene.items))
    truths = []
    for index, item in enumerate(scene.items):
        if item.class_name and pixels[index] >= _NOISE_PX:
            truths.append(_truth(scene, viewpoint, index, item_index == index))
    return truths


def _truth(scene: Scene, viewpoint: Viewpoint, index: int, mask: Bool[np.ndarray, "h w"]) -> Truth:
    item = scene.items[index]
    camera_from_object = viewpoint.camera_from_world @ scene.world_from_object(item)
    whole_px = silhouette_px(item, camera_from_object, viewpoint.camera)
    visible_px = int(mask.sum())
    share = min(1.0, visible_px / whole_px) if whole_px else 0.0
    return Truth(
        item_index=index,
        class_name=item.class_name,
        mask=mask,
        box_xyxy_px=tight_box(mask),
        visible_share=share,
        ignore=visible_px < MIN_VISIBLE_PX or share < MIN_VISIBLE_SHARE,
        camera_from_object=camera_from_object,
    )


def tight_box(mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "4"]:
    """Left, top, right and lower edge (the last two exclusive) of the pixels in `mask`."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)


def silhouette_px(
    item: Item, camera_from_object: Float[np.ndarray, "4 4"], camera: Camera
) -> float:
    """Area in pixels that the object alone would cover, inside and outside the picture.

    Drawn on a separate canvas, finer than small objects' pixels; 0 if it reaches the camera.
    """
    meshes = [part.mesh for part in item.shape.parts]
    points = transform_points(camera_from_object, np.concatenate([m.vertices_m for m in meshes]))
    if points[:, 2].min() < NEAR_M:
        return 0.0
    firsts = np.cumsum([0] + [len(m.vertices_m) for m in meshes[:-1]])
    faces = np.concatenate([m.faces + first for m, first in zip(meshes, firsts, strict=True)])
    pixel = project(points, camera=camera)
    scale = (_CANVAS_PX - 2) / float(np.ptp(pixel, axis=0).max())
    corners = np.rint((pixel - pixel.min(axis=0)) * scale * 16).astype(np.int64)[faces]
    edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    towards_camera = edge_a[:, 0] * edge_b[:, 1] < edge_a[:, 1] * edge_b[:, 0]
    canvas = np.zeros((_CANVAS_PX, _CANVAS_PX), np.uint8)
    for triangle in corners[towards_camera].astype(np.int32):
        cv2.fillConvexPoly(canvas, triangle, 1, shift=4)
    return float(canvas.sum()) / scale**2
