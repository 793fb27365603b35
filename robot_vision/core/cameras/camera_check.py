"""Whether a camera's calibration is physically possible: the only entry point for intrinsics.

If it is not, the camera counts as unknown and frames are processed without 3-D.
"""

import math
from collections.abc import Mapping

import numpy as np

from robot_vision.core.cameras.lens import DistortionModel
from robot_vision.core.errors import CameraError
from robot_vision.core.types import Camera

# From a telescope to just below a pinhole's 180°; a fisheye's K lies well within.
LEAST_VIEW_DEG, MOST_VIEW_DEG = 0.5, 179.0
# The principal point may lie outside a cropped image, but not by many image sizes.
FARTHEST_CENTRE_SIZES = 3.0
LARGEST_ASPECT = 4.0
LARGEST_SIDE_PX = 100_000
LARGEST_COEFFICIENT = 1e4
# Sensor rows and columns are perpendicular to within this share of the focal length.
LARGEST_SKEW = 1e-3
# As OpenCV counts them: each longer list of coefficients extends the shorter model.
COUNTS: Mapping[DistortionModel, tuple[int, ...]] = {
    "plumb_bob": (0, 4, 5, 8, 12, 14),
    "rational_polynomial": (0, 4, 5, 8, 12, 14),
    "equidistant": (4,),
}


def checked_camera(
    *,
    frame_id: str,
    width_px: int,
    height_px: int,
    intrinsics_px: object,
    distortion: object = (),
    distortion_model: DistortionModel = "plumb_bob",
) -> Camera:
    """A camera from untrusted numbers, as arrays or lists.

    Raises `CameraError` with the value and what was expected if no lens could have them.
    """
    try:
        matrix = np.array(intrinsics_px, np.float64)
        coefficients = np.array(distortion, np.float64).ravel()
    except (TypeError, ValueError):  # ragged lists, or lists of strings
        raise CameraError("K is ragged or not numeric; expected nine numbers") from None
    if matrix.size != 9 or not np.isfinite(matrix).all():
        raise CameraError(f"K = {matrix.ravel().tolist()[:9]}; expected nine finite numbers")
    _check_rows(matrix.reshape(3, 3))
    if not (0 < width_px <= LARGEST_SIDE_PX and 0 < height_px <= LARGEST_SIDE_PX):
        raise CameraError(
            f"an image of {width_px}×{height_px} px; expected sides from 1 to {LARGEST_SIDE_PX} px"
        )
    camera = Camera(
        frame_id=frame_id,
        width_px=width_px,
        height_px=height_px,
        intrinsics_px=matrix.reshape(3, 3),
        distortion=coefficients,
        distortion_model=distortion_model,
    )
    _check_lens(camera)
    _check_distortion(coefficients, distortion_model)
    return camera


def _check_lens(camera: Camera) -> None:
    fx_px, fy_px = camera.fx_px, camera.fy_px
    if not (fx_px > 0 and fy_px > 0):
        raise CameraError(
            f"fx = {fx_px:g}, fy = {fy_px:g} px; expected positive focal lengths "
            "(an uncalibrated camera publishes zeros)"
        )
    longer_px = max(camera.width_px, camera.height_px)
    for axis, focal_px, centre_px, size_px in (
        ("x", fx_px, camera.cx_px, camera.width_px),
        ("y", fy_px, camera.cy_px, camera.height_px),
    ):
        view_deg = math.degrees(2 * math.atan(size_px / 2 / focal_px))
        # A crop of a few pixels is narrow along that side, so the longer side counts.
        is_narrow = view_deg < LEAST_VIEW_DEG and size_px == longer_px
        if is_narrow or view_deg > MOST_VIEW_DEG:
            raise CameraError(
                f"f{axis} = {focal_px:g} px, a field of view of {view_deg:.3g}° over {size_px} "
                f"px; expected {LEAST_VIEW_DEG:g}° to {MOST_VIEW_DEG:g}°"
            )
        if abs(centre_px - size_px / 2) > FARTHEST_CENTRE_SIZES * size_px:
            raise CameraError(
                f"c{axis} = {centre_px:g} px; expected the principal point within "
                f"{FARTHEST_CENTRE_SIZES:g} image sizes of the middle of {size_px} px"
            )
    if not 1 / LARGEST_ASPECT <= fx_px / fy_px <= LARGEST_ASPECT:
        raise CameraError(
            f"fx = {fx_px:g}, fy = {fy_px:g} px; expected neither to be more than "
            f"{LARGEST_ASPECT:g} times the other"
        )


def _check_rows(matrix: np.ndarray) -> None:
    if matrix[2, :2].any() or matrix[1, 0] != 0:
        raise CameraError(
            f"K = {matrix.ravel().tolist()}; expected fx 0 cx 0 fy cy 0 0 1, row by row"
        )
    if abs(matrix[0, 1]) > LARGEST_SKEW * abs(matrix[0, 0]):
        raise CameraError(f"K has a skew of {matrix[0, 1]:g} px; expected none")


def _check_distortion(coefficients: np.ndarray, model: DistortionModel) -> None:
    if not (np.abs(coefficients) <= LARGEST_COEFFICIENT).all():  # also rejects NaN
        raise CameraError(
            f"distortion {coefficients.tolist()[:14]}; expected finite coefficients of at most "
            f"{LARGEST_COEFFICIENT:g}"
        )
    if coefficients.size not in COUNTS[model]:
        expected = " or ".join(map(str, COUNTS[model]))
        raise CameraError(
            f"{coefficients.size} distortion coefficients of {model}; expected {expected}"
        )
