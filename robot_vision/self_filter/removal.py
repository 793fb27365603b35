"""Removes the robot itself from what is seen; objects that it touches and holds stay.

A pixel shows the robot where it lies in the outline and its measured depth is that of the surface.
Nearer pixels show something in front of the robot, further ones something behind it.
"""

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from robot_vision.core.parameters.groups.self_filter_config import SelfFilterConfig
from robot_vision.core.types import Depth, Detections, RobotView

_LEAST_CELLS = 1.0


def shown_robot(
    view: RobotView, depth: Depth | None, *, config: SelfFilterConfig
) -> Bool[np.ndarray, "h w"]:
    """Where a picture shows the robot; where no depth is measured, its outline counts.

    `view` has links enlarged by `padding_m`: measured points lie below their surface.
    """
    if depth is None:
        return view.mask
    robot_m = _resized(view.depth_m, depth.depth_m.shape)
    with np.errstate(invalid="ignore"):
        below_m = depth.depth_m - robot_m - config.padding_m
        fits = np.abs(below_m) <= config.tolerance_m
    fits |= ~depth.measured
    return view.mask & _resized(fits.view(np.uint8), view.mask.shape).view(bool)


def without_robot(
    detections: Detections, shown: Bool[np.ndarray, "h w"], *, config: SelfFilterConfig
) -> Detections:
    """The detections that show the robot in less than `removed_share` of their area.

    The area is that of a detection's mask, or of its box if it has none.
    """
    if not len(detections) or not shown.any():
        return detections
    kept = robot_share(detections, shown) < config.removed_share
    return detections if kept.all() else _rows(detections, kept)


def without_robot_depth(depth: Depth, shown: Bool[np.ndarray, "h w"]) -> Depth:
    """Depth that is unknown (NaN) where the robot is: nothing is lifted there."""
    on_robot = _resized(shown.view(np.uint8), depth.depth_m.shape).view(bool)
    depth_m = np.where(on_robot, np.float32(np.nan), depth.depth_m)
    return replace(depth, depth_m=depth_m)


def robot_share(
    detections: Detections, shown: Bool[np.ndarray, "h w"]
) -> Float32[np.ndarray, " n"]:
    """The share of each detection, by its mask or its box, that shows the robot."""
    share = _box_share(detections.box_xyxy_px, shown)
    if detections.mask is not None:
        _, height, width = detections.mask.shape
        cells = cv2.resize(shown.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        masks = detections.mask.reshape(len(detections), -1).astype(np.float32)
        size = masks.sum(axis=1)
        by_mask = masks @ cells.ravel() / np.maximum(size, _LEAST_CELLS)
        share = np.where(size >= _LEAST_CELLS, by_mask, share)
    return share.astype(np.float32)


def _box_share(
    box_xyxy_px: Float32[np.ndarray, "n 4"], shown: Bool[np.ndarray, "h w"]
) -> Float32[np.ndarray, " n"]:
    sums = cv2.integral(shown.view(np.uint8))
    limit = np.array(shown.shape[::-1])
    x0, y0 = np.clip(np.floor(box_xyxy_px[:, :2]), 0, limit - 1).astype(np.intp).T
    x1, y1 = np.clip(np.ceil(box_xyxy_px[:, 2:]), 1, limit).astype(np.intp).T
    inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return (inside / np.maximum((x1 - x0) * (y1 - y0), 1)).astype(np.float32)


def _rows(detections: Detections, kept: Bool[np.ndarray, " n"]) -> Detections:
    def of(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[kept]

    return replace(
        detections,
        box_xyxy_px=detections.box_xyxy_px[kept],
        score=detections.score[kept],
        class_id=detections.class_id[kept],
        mask=of(detections.mask),
        keypoint=of(detections.keypoint),
        oriented_box=of(detections.oriented_box),
    )


def _resized(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Values on another grid over the same view."""
    if values.shape == shape:
        return values
    return cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
