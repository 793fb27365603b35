"""Projects depth of another camera, or of other intrinsics, onto the pixels of colour.

Every depth pixel is a point; it is transformed into the colour camera and lands on a pixel, where
the nearest one counts (a z-buffer). Pixels that receive no point stay NaN: nothing is filled in.
"""

import numpy as np
from jaxtyping import Float32, Float64

from robot_vision.core.cameras.geometry import rays_of, scaled_camera
from robot_vision.core.cameras.lens import distort, is_straight
from robot_vision.core.types import Camera


class Registration:
    """From one depth camera to one colour camera; what depends only on them is computed once."""

    def __init__(
        self,
        depth_camera: Camera,
        color_camera: Camera,
        color_from_depth: Float64[np.ndarray, "4 4"],
    ) -> None:
        self.depth_camera, self.color_camera = depth_camera, color_camera
        self.color_from_depth = color_from_depth
        # A map finer than the points would have more holes than depth.
        share = min(1.0, depth_camera.fx_px / color_camera.fx_px)
        self._target = scaled_camera(
            color_camera,
            width_px=max(round(color_camera.width_px * share), 1),
            height_px=max(round(color_camera.height_px * share), 1),
        )
        rows, columns = np.mgrid[: depth_camera.height_px, : depth_camera.width_px]
        pixel_px = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64)
        ray = rays_of(pixel_px, camera=depth_camera)
        ray = np.concatenate([ray, np.ones((len(ray), 1))], axis=1)
        self._ray = (ray @ color_from_depth[:3, :3].T).astype(np.float32).T.copy()
        self._move_m = color_from_depth[:3, 3].astype(np.float32)

    def is_for(
        self,
        depth_camera: Camera,
        color_camera: Camera,
        color_from_depth: Float64[np.ndarray, "4 4"],
    ) -> bool:
        """Whether it is for these cameras."""
        return (
            depth_camera.same_as(self.depth_camera)
            and color_camera.same_as(self.color_camera)
            and np.array_equal(color_from_depth, self.color_from_depth)
        )

    def __call__(self, depth_m: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "hc wc"]:
        """Depth along the colour camera's axis, on its view; NaN where nothing is seen."""
        target = self._target
        with np.errstate(all="ignore"):  # depth that is not valid is NaN
            z_m = self._ray[2] * depth_m.ravel() + self._move_m[2]
            column, row = self._pixels(depth_m.ravel(), z_m)
            inside = (column >= 0) & (column < target.width_px) & (row >= 0)
            inside &= (row < target.height_px) & (z_m > 0)
            at = np.where(inside, row * target.width_px + column, 0).astype(np.int64)[inside]
        return _nearest(at, z_m[inside], target.width_px * target.height_px).reshape(
            target.height_px, target.width_px
        )

    def _pixels(self, depth_m: np.ndarray, z_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Columns and rows, rounded, of the points in the target."""
        target = self._target
        x = (self._ray[0] * depth_m + self._move_m[0]) / z_m
        y = (self._ray[1] * depth_m + self._move_m[1]) / z_m
        if not is_straight(target.distortion_model, target.distortion):
            seen = distort(
                np.stack([x, y], axis=1),
                model=target.distortion_model,
                coefficients=target.distortion,
            )
            x, y = seen.T
        return (
            np.rint(x * np.float32(target.fx_px) + np.float32(target.cx_px)),
            np.rint(y * np.float32(target.fy_px) + np.float32(target.cy_px)),
        )


def _nearest(at: np.ndarray, z_m: np.ndarray, size: int) -> Float32[np.ndarray, " size"]:
    """The smallest depth that lands on each pixel, NaN where none does.

    One of the points that share a pixel is written; those nearer than it try again.
    """
    buffer = np.full(size, np.inf, np.float32)
    while at.size:
        buffer[at] = z_m
        nearer = z_m < buffer[at]
        at, z_m = at[nearer], z_m[nearer]
    buffer[np.isinf(buffer)] = np.nan
    return buffer
