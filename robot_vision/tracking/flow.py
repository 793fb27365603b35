"""Motion of the camera between images, from sparse optical flow."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from robot_vision.core.cameras.geometry import deproject
from robot_vision.core.types import Camera

FLOW_WIDTH_PX = 320
FLOW_CORNERS = 200
LEAST_CORNERS = 12
STILL = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def rotation_of_camera(
    now_from_before_px: Float[np.ndarray, "2 3"], *, camera: Camera
) -> Float[np.ndarray, "4 4"]:
    """The rotation `now_from_before` that shifts and turns the image's centre this way."""
    centre_px = np.array([camera.cx_px, camera.cy_px])
    moved_px = now_from_before_px[:, :2] @ centre_px + now_from_before_px[:, 2]
    ray = deproject(moved_px[None], np.ones(1), camera=camera)[0]
    axis = np.cross([0.0, 0.0, 1.0], ray / np.linalg.norm(ray))
    sine = float(np.linalg.norm(axis))
    aim, _ = cv2.Rodrigues(axis * (np.arcsin(min(sine, 1.0)) / max(sine, 1e-12)))
    turn_rad = np.arctan2(now_from_before_px[1, 0], now_from_before_px[0, 0])
    turn, _ = cv2.Rodrigues(np.array([0.0, 0.0, turn_rad]))
    now_from_before = np.eye(4)
    now_from_before[:3, :3] = aim @ turn
    return now_from_before


class FlowEstimator:
    """Similarity between successive images, from sparse optical flow outside the objects."""

    def __init__(self) -> None:
        self._previous: UInt8[np.ndarray, "h w"] | None = None

    def estimate(
        self, gray: UInt8[np.ndarray, "h w"], *, objects_xyxy_px: Float[np.ndarray, "n 4"]
    ) -> Float[np.ndarray, "2 3"]:
        """`now_from_before` in pixels; no motion where the image does not show any.

        `objects_xyxy_px` are the boxes of objects in the previous image: corners there are not
        part of the static world.
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
        moved, found, _ = cv2.calcOpticalFlowPyrLK(
            previous, small, corners, np.empty_like(corners)
        )
        good = found[:, 0] > 0
        if np.count_nonzero(good) < LEAST_CORNERS:
            return STILL
        motion, _ = cv2.estimateAffinePartial2D(corners[good], moved[good])
        if motion is None:
            return STILL
        motion[:, 2] /= scale
        return motion


def _outside(
    boxes_xyxy_px: Float[np.ndarray, "n 4"], shape: tuple[int, ...]
) -> UInt8[np.ndarray, "h w"]:
    mask = np.full(shape, 255, np.uint8)
    limit = [shape[1], shape[0]] * 2
    for left, top, right, bottom in np.clip(boxes_xyxy_px, 0, limit).astype(int):
        mask[top:bottom, left:right] = 0
    return mask
