"""Projection through lenses and rigid transforms: `a_from_b`, points `p_in_a`."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from robot_vision.core.cameras.lens import distort, undistort
from robot_vision.core.types import Camera


def rays_of(pixel_px: Float[np.ndarray, "n 2"], *, camera: Camera) -> Float[np.ndarray, "n 2"]:
    """(x, y) of the directions (x, y, 1) seen at pixels; NaN where the lens model has none."""
    seen = (pixel_px - [camera.cx_px, camera.cy_px]) / [camera.fx_px, camera.fy_px]
    return undistort(seen, model=camera.distortion_model, coefficients=camera.distortion)


def deproject(
    pixel_px: Float[np.ndarray, "n 2"], depth_m: Float[np.ndarray, " n"], *, camera: Camera
) -> Float[np.ndarray, "n 3"]:
    """Points in camera coordinates (metres) seen at `pixel_px` at `depth_m` along the axis."""
    across_m = rays_of(pixel_px, camera=camera) * depth_m[:, None]
    return np.concatenate([across_m, depth_m[:, None]], axis=1)


def project(
    point_in_camera_m: Float[np.ndarray, "n 3"], *, camera: Camera
) -> Float[np.ndarray, "n 2"]:
    """Pixels at which points in camera coordinates appear; NaN for points not in front."""
    z = np.where(point_in_camera_m[:, 2] > 0, point_in_camera_m[:, 2], np.nan)
    seen = distort(
        point_in_camera_m[:, :2] / z[:, None],
        model=camera.distortion_model,
        coefficients=camera.distortion,
    )
    return seen * [camera.fx_px, camera.fy_px] + [camera.cx_px, camera.cy_px]


def scaled_camera(camera: Camera, *, width_px: int, height_px: int) -> Camera:
    """`camera` seen through an image of another resolution."""
    sx, sy = width_px / camera.width_px, height_px / camera.height_px
    # Pixel centres are at integers: scaling keeps the image's edge, at −½, in place.
    cx_px, cy_px = (camera.cx_px + 0.5) * sx - 0.5, (camera.cy_px + 0.5) * sy - 0.5
    fx_px, fy_px = camera.fx_px * sx, camera.fy_px * sy
    return replace(
        camera,
        width_px=width_px,
        height_px=height_px,
        intrinsics_px=np.array([[fx_px, 0.0, cx_px], [0.0, fy_px, cy_px], [0.0, 0.0, 1.0]]),
    )


def transform_points(
    a_from_b: Float[np.ndarray, "4 4"], p_in_b: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3"]:
    """Points given in frame b, expressed in frame a."""
    return p_in_b @ a_from_b[:3, :3].T + a_from_b[:3, 3]


def invert_transform(a_from_b: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """`b_from_a` of a rigid transform `a_from_b`."""
    b_from_a = np.eye(4)
    b_from_a[:3, :3] = a_from_b[:3, :3].T
    b_from_a[:3, 3] = -a_from_b[:3, :3].T @ a_from_b[:3, 3]
    return b_from_a


def transform_from_quaternion(
    translation_m: Float[np.ndarray, "3"], quaternion_xyzw: Float[np.ndarray, "4"]
) -> Float[np.ndarray, "4 4"]:
    """Rigid transform from a translation and a quaternion (x y z w, of any non-zero norm)."""
    norm = float(np.linalg.norm(quaternion_xyzw))
    if not np.isfinite(norm) or norm < 1e-9:
        raise ValueError(f"quaternion {quaternion_xyzw.tolist()} has no direction; expected xyzw")
    x, y, z, w = quaternion_xyzw / norm
    a_from_b = np.eye(4)
    a_from_b[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    a_from_b[:3, 3] = translation_m
    return a_from_b


def joints_between(
    first: Float[np.ndarray, " j"], second: Float[np.ndarray, " j"], share: float
) -> Float[np.ndarray, " j"]:
    """Positions (rad or m), interpolated between two reports.

    A continuous joint jumps from π to −π; here it takes the short way through π.
    """
    step = second - first
    turns = np.where(np.abs(step) > np.pi, np.rint(step / (2 * np.pi)), 0.0)
    between = first + share * (step - 2 * np.pi * turns)
    return np.where(turns == 0, between, (between + np.pi) % (2 * np.pi) - np.pi)
