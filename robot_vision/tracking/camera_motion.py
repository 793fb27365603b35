"""Motion of the camera, known from TF or estimated from the image, taken out of the tracks."""

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from robot_vision.core.geometry import deproject, project, transform_points
from robot_vision.core.types import Camera
from robot_vision.tracking.kalman import AxisStates

# Boxes whose depth is not known move as what is far away: by the camera's rotation alone.
FAR_M = 1e4
NEAREST_M = 0.05

FLOW_WIDTH_PX = 320
FLOW_CORNERS = 200
LEAST_CORNERS = 12
STILL = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def warp_by_pose(
    boxes: AxisStates,
    *,
    depth_m: Float[np.ndarray, " n"],
    now_from_before: Float[np.ndarray, "4 4"],
    camera: Camera,
) -> AxisStates:
    """Boxes as the camera sees them after it moved; depth is NaN where it is not known."""
    depth_m = np.where(np.isnan(depth_m), FAR_M, np.maximum(depth_m, NEAREST_M))
    before = deproject(boxes.position[:, :2], depth_m, camera=camera)
    now = transform_points(now_from_before, before)
    now[:, 2] = np.maximum(now[:, 2], NEAREST_M)
    turn_rad = np.arctan2(now_from_before[1, 0], now_from_before[0, 0])
    return _warp(
        boxes,
        centre_px=project(now, camera=camera),
        factor=(depth_m / now[:, 2])[:, None],
        turn_rad=float(turn_rad),
    )


def warp_by_image(boxes: AxisStates, now_from_before_px: Float[np.ndarray, "2 3"]) -> AxisStates:
    """Boxes moved by a similarity of the image."""
    linear = now_from_before_px[:, :2]
    return _warp(
        boxes,
        centre_px=boxes.position[:, :2] @ linear.T + now_from_before_px[:, 2],
        factor=np.full((len(boxes.position), 1), np.hypot(linear[0, 0], linear[1, 0])),
        turn_rad=float(np.arctan2(linear[1, 0], linear[0, 0])),
    )


def rotation_of_camera(
    now_from_before_px: Float[np.ndarray, "2 3"], *, camera: Camera
) -> Float[np.ndarray, "4 4"]:
    """The rotation `now_from_before` that moves the image's centre, and turns it, in this way."""
    centre = np.array([camera.cx_px, camera.cy_px])
    moved = now_from_before_px[:, :2] @ centre + now_from_before_px[:, 2]
    ray = deproject(moved[None], np.ones(1), camera=camera)[0]
    ray /= np.linalg.norm(ray)
    axis = np.cross([0.0, 0.0, 1.0], ray)
    aim, _ = cv2.Rodrigues(
        axis
        * np.arcsin(min(1.0, float(np.linalg.norm(axis))))
        / max(float(np.linalg.norm(axis)), 1e-12)
    )
    turn, _ = cv2.Rodrigues(
        np.array([0.0, 0.0, np.arctan2(now_from_before_px[1, 0], now_from_before_px[0, 0])])
    )
    now_from_before = np.eye(4)
    now_from_before[:3, :3] = aim @ turn
    return now_from_before


class FlowEstimator:
    """Similarity between successive images, from sparse optical flow outside the objects."""

    def __init__(self) -> None:
        self._previous: UInt8[np.ndarray, "h w"] | None = None

    def reset(self) -> None:
        """Forget the previous image."""
        self._previous = None

    def estimate(
        self, gray: UInt8[np.ndarray, "h w"], *, objects_xyxy_px: Float[np.ndarray, "n 4"]
    ) -> Float[np.ndarray, "2 3"]:
        """`now_from_before` in pixels; no motion where the image does not tell.

        `objects_xyxy_px` are where objects were in the previous image: corners there are not
        of the world at rest.
        """
        scale = min(1.0, FLOW_WIDTH_PX / gray.shape[1])
        small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        previous, self._previous = self._previous, small
        if previous is None or previous.shape != small.shape:
            return STILL
        corners = cv2.goodFeaturesToTrack(
            previous,
            FLOW_CORNERS,
            0.01,
            5,
            mask=_outside(objects_xyxy_px * scale, previous.shape),
        )
        if corners is None or len(corners) < LEAST_CORNERS:
            return STILL
        moved, found, _ = cv2.calcOpticalFlowPyrLK(previous, small, corners, None)
        good = found[:, 0] > 0
        if np.count_nonzero(good) < LEAST_CORNERS:
            return STILL
        motion, _ = cv2.estimateAffinePartial2D(corners[good], moved[good])
        if motion is None:
            return STILL
        motion[:, 2] /= scale
        return motion


def _warp(
    boxes: AxisStates,
    *,
    centre_px: Float[np.ndarray, "n 2"],
    factor: Float[np.ndarray, "n 1"],
    turn_rad: float,
) -> AxisStates:
    c, s = np.cos(turn_rad), np.sin(turn_rad)
    velocity = boxes.velocity.copy()
    velocity[:, :2] = velocity[:, :2] @ np.array([[c, s], [-s, c]])
    return replace(
        boxes,
        position=np.concatenate([centre_px, boxes.position[:, 2:] * factor], axis=1),
        velocity=velocity * factor,
        var_position=boxes.var_position * factor**2,
        cov_position_velocity=boxes.cov_position_velocity * factor**2,
        var_velocity=boxes.var_velocity * factor**2,
    )


def _outside(
    boxes_xyxy_px: Float[np.ndarray, "n 4"], shape: tuple[int, ...]
) -> UInt8[np.ndarray, "h w"]:
    mask = np.full(shape, 255, np.uint8)
    limit = [shape[1], shape[0]] * 2
    for left, top, right, bottom in np.clip(boxes_xyxy_px, 0, limit).astype(int):
        mask[top:bottom, left:right] = 0
    return mask
