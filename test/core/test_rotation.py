"""A camera on its side: what the turned image shows is where the turned camera says."""

import cv2
import numpy as np
import pytest

from robot_vision.core.cameras.geometry import project, transform_points
from robot_vision.core.cameras.lens import DistortionModel
from robot_vision.core.cameras.rotation import original_from_rotated, rotated_camera, rotated_image
from robot_vision.core.errors import CameraError
from robot_vision.core.types import Camera

PRISMS = [-0.2, 0.05, 3e-3, -4e-3, 0.01, 0.0, 0.0, 0.0, 2e-3, -1e-3, 5e-3, 1e-3]


def camera(d: list[float], model: DistortionModel = "plumb_bob") -> Camera:
    return Camera(
        frame_id="cam",
        width_px=64,
        height_px=48,
        intrinsics_px=np.array([[50.0, 0, 30], [0, 55, 25], [0, 0, 1]]),
        distortion=np.array(d),
        distortion_model=model,
    )


@pytest.mark.parametrize("rotate_deg", [90, 180, 270])
@pytest.mark.parametrize(
    ("d", "model"),
    [
        ([], "plumb_bob"),
        (PRISMS[:5], "plumb_bob"),
        (PRISMS, "rational_polynomial"),
        ([0.1, 0, 0, 0], "equidistant"),
    ],
)
def test_pixels_and_points_turn_together(
    rotate_deg: int, d: list[float], model: DistortionModel
) -> None:
    original = camera(d, model)
    turned = rotated_camera(original, rotate_deg)
    assert turned.frame_id == f"cam_rotated_{rotate_deg}"
    original_from_turned = original_from_rotated(rotate_deg)
    for x, y in ((10, 7), (50, 40), (30, 25)):
        picture = np.zeros((48, 64), np.uint8)
        picture[y, x] = 255
        image = rotated_image(picture, rotate_deg)
        assert image.shape == (turned.height_px, turned.width_px)
        row, column = np.argwhere(image)[0]
        ray = _ray(original, x, y)
        turned_m = transform_points(np.linalg.inv(original_from_turned), ray)
        np.testing.assert_allclose(project(turned_m, camera=turned), [[column, row]], atol=1e-4)


def _ray(seen_by: Camera, x: int, y: int) -> np.ndarray:
    """OpenCV's ray of a pixel."""
    matrix, d = seen_by.intrinsics_px, seen_by.distortion
    pixel = np.array([[[float(x), float(y)]]])
    if seen_by.distortion_model == "equidistant":
        ray = cv2.fisheye.undistortPoints(pixel, matrix, d)
    else:
        criteria = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 100, 1e-10)
        # OpenCV 4 has another function for those who choose the criteria.
        if hasattr(cv2, "undistortPointsIter"):
            ray = cv2.undistortPointsIter(pixel, matrix, d, np.eye(3), np.eye(3), criteria)
        else:
            ray = cv2.undistortPoints(pixel, matrix, d, criteria=criteria)
    return np.append(ray[0, 0], 1.0)[None]


def test_turns_are_clockwise() -> None:
    assert rotated_image(np.array([[1, 2], [3, 4]]), 90).tolist() == [[3, 1], [4, 2]]


def test_a_tilted_sensor_cannot_be_turned() -> None:
    with pytest.raises(CameraError, match="tilted sensor"):
        rotated_camera(camera([*PRISMS, 0.01, 0.0]), 90)
