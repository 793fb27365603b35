"""A camera mounted sideways: images, intrinsics and axes rotated clockwise in steps of 90°."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Shaped

from robot_vision.core.cameras.lens import is_tilted
from robot_vision.core.errors import CameraError
from robot_vision.core.types import Camera


def rotated_image(
    image: Shaped[np.ndarray, "_h _w *c"], rotate_deg: int
) -> Shaped[np.ndarray, "_h _w *c"]:
    """The image rotated clockwise by 0, 90, 180 or 270 degrees; a copy if rotated."""
    turned = np.rot90(image, -rotate_deg // 90)
    return np.ascontiguousarray(turned) if rotate_deg else image


def rotated_frame(frame_id: str, rotate_deg: int) -> str:
    """The name of the rotated optical frame: transforms of the camera's own frame do not apply
    to it."""
    return f"{frame_id}_rotated_{rotate_deg}" if rotate_deg else frame_id


def original_frame(frame_id: str, rotate_deg: int) -> str:
    """The name of the camera's own optical frame, given the result of `rotated_frame`."""
    return frame_id.removesuffix(rotated_frame("", rotate_deg))


def original_from_rotated(rotate_deg: int) -> Float64[np.ndarray, "4 4"]:
    """Rotation from the rotated image's optical axes to the camera's own."""
    turn = np.eye(4)
    quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
    turn[:2, :2] = np.linalg.matrix_power(quarter, rotate_deg // 90)
    return turn


def rotated_camera(camera: Camera, rotate_deg: int) -> Camera:
    """The camera of the rotated image. Raises `CameraError` for a tilted sensor, which has
    none."""
    if rotate_deg == 0:
        return camera
    if is_tilted(camera.distortion):
        raise CameraError(
            "a tilted sensor (14 coefficients) cannot be rotated; expected at most 12"
        )
    turned = camera
    for _ in range(rotate_deg // 90):
        turned = _quarter(turned)
    return replace(turned, frame_id=rotated_frame(camera.frame_id, rotate_deg))


def _quarter(camera: Camera) -> Camera:
    """By 90° clockwise: x is −y of the original, y its x."""
    matrix = np.eye(3)
    matrix[0, 0], matrix[1, 1] = camera.fy_px, camera.fx_px
    matrix[0, 2], matrix[1, 2] = camera.height_px - 1 - camera.cy_px, camera.cx_px
    return replace(
        camera,
        width_px=camera.height_px,
        height_px=camera.width_px,
        intrinsics_px=matrix,
        distortion=_turned_coefficients(camera),
    )


def _turned_coefficients(camera: Camera) -> np.ndarray:
    """Radial terms stay; tangential and prism terms each belong to an axis."""
    turned = camera.distortion.copy()
    if camera.distortion_model == "equidistant" or turned.size == 0:
        return turned
    turned[2], turned[3] = camera.distortion[3], -camera.distortion[2]
    if turned.size >= 12:
        s1, s2, s3, s4 = camera.distortion[8:12]
        turned[8:12] = -s3, -s4, s1, s2
    return turned
