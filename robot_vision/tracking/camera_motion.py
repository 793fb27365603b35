"""Removes the motion of the camera, known from TF or estimated from the image, from the tracks."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from robot_vision.core.boxes import MAX_COORDINATE_PX, cxcywh_to_xyxy
from robot_vision.core.cameras import geometry
from robot_vision.core.cameras.geometry import invert_transform
from robot_vision.core.types import Camera, Measurements
from robot_vision.tracking.flow import FlowEstimator, rotation_of_camera
from robot_vision.tracking.kalman import AxisStates, transform_points
from robot_vision.tracking.table import TrackTable, axes_of, fill, points_of

# Boxes of unknown depth move as if far away: by the camera's rotation alone.
FAR_M = 1e4
NEAREST_M = 0.05
# A box that appears to grow more than this between two frames has passed the camera.
LARGEST_ZOOM = 4.0


class CameraMotion:
    """The camera's pose, and the tracks as seen from it.

    The pose comes from the measurements if they have one; else, with `estimate`, from the
    image, as a rotation; else the camera counts as at rest. `fixed_from_camera` is then in
    a frame of our own.
    """

    def __init__(self, *, estimate: bool) -> None:
        self.fixed_from_camera = np.eye(4)
        self._given = False
        # Poses were given before, but not for the newest frame: the camera may be elsewhere.
        self.is_lost = False
        self._flow = FlowEstimator() if estimate else None

    def follow(self, table: TrackTable, measurements: Measurements) -> None:
        """Move to the pose of the measurements; tracks keep their place in the world.

        The table is changed in place.
        """
        pose = measurements.fixed_from_camera
        self.is_lost = self._given and pose is None
        if pose is not None and np.isfinite(pose).all():
            self._follow_pose(table, pose.astype(np.float64), measurements.camera)
        elif self._flow is not None and measurements.gray is not None:
            motion = self._flow.estimate(
                measurements.gray, objects_xyxy_px=cxcywh_to_xyxy(table["seen_box"]["position"])
            )
            self._follow_image(table, motion, measurements.camera)

    def _follow_pose(
        self, table: TrackTable, pose: Float[np.ndarray, "4 4"], camera: Camera | None
    ) -> None:
        before, self.fixed_from_camera = self.fixed_from_camera, pose
        if not self._given:
            # Until now the fixed frame was our own: move the tracks to the one given.
            self._given = True
            given_from_own = pose @ invert_transform(before)
            fill(table["point"], transform_points(points_of(table["point"]), given_from_own))
            return
        if camera is None:
            return
        now_from_before = invert_transform(pose) @ before
        points = transform_points(points_of(table["point"]), invert_transform(before))
        for boxes in (table["box"], table["seen_box"]):
            warped = warp_by_pose(
                axes_of(boxes),
                depth_m=points.mean[:, 2],
                now_from_before=now_from_before,
                camera=camera,
            )
            fill(boxes, warped)

    def _follow_image(
        self, table: TrackTable, motion: Float[np.ndarray, "2 3"], camera: Camera | None
    ) -> None:
        if camera is not None:
            now_from_before = rotation_of_camera(motion, camera=camera)
            self.fixed_from_camera = self.fixed_from_camera @ invert_transform(now_from_before)
        for boxes in (table["box"], table["seen_box"]):
            fill(boxes, warp_by_image(axes_of(boxes), motion))


def warp_by_pose(
    boxes: AxisStates,
    *,
    depth_m: Float[np.ndarray, " n"],
    now_from_before: Float[np.ndarray, "4 4"],
    camera: Camera,
) -> AxisStates:
    """Boxes as the camera sees them after it moved; depth is NaN where unknown."""
    depth_m = np.where(np.isnan(depth_m), FAR_M, np.maximum(depth_m, NEAREST_M))
    before = geometry.deproject(boxes.position[:, :2], depth_m, camera=camera)
    now = geometry.transform_points(now_from_before, before)
    now[:, 2] = np.maximum(now[:, 2], NEAREST_M)
    factor = np.clip(depth_m / now[:, 2], 1 / LARGEST_ZOOM, LARGEST_ZOOM)
    turn_rad = np.arctan2(now_from_before[1, 0], now_from_before[0, 0])
    return _warp(
        boxes,
        centre_px=geometry.project(now, camera=camera),
        factor=factor[:, None],
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


def _warp(
    boxes: AxisStates,
    *,
    centre_px: Float[np.ndarray, "n 2"],
    factor: Float[np.ndarray, "n 1"],
    turn_rad: float,
) -> AxisStates:
    centre_px = np.clip(centre_px, -MAX_COORDINATE_PX, MAX_COORDINATE_PX)
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
