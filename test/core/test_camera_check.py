"""Intrinsics that no lens can have are refused with words; those of real cameras are taken."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.cameras.camera_check import checked_camera
from robot_vision.core.errors import CameraError

K = [600.0, 0.0, 320.0, 0.0, 600.0, 240.0, 0.0, 0.0, 1.0]
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


def camera(k: object = K, *, size: tuple[int, int] = (640, 480), d: object = (0.0,) * 5):
    return checked_camera(
        frame_id="c", width_px=size[0], height_px=size[1], intrinsics_px=k, distortion=d
    )


def with_values(**values: float) -> list[float]:
    places = {"fx": 0, "cx": 2, "fy": 4, "cy": 5}
    return [next((v for n, v in values.items() if places[n] == i), K[i]) for i in range(9)]


@pytest.mark.parametrize(
    ("k", "size"),
    [
        (K, (640, 480)),
        ([45_000.0, 0, 640, 0, 45_000, 360, 0, 0, 1], (1280, 720)),  # a long lens
        ([285.0, 0, 425, 0, 285, 400, 0, 0, 1], (848, 800)),  # RealSense T265, a fisheye
        ([600.0, 0, -300, 0, 600, 240, 0, 0, 1], (640, 480)),  # cropped beside its centre
        ([600.0, 0, 320, 0, 600, 0.5, 0, 0, 1], (640, 2)),  # a line camera
    ],
)
def test_real_cameras_are_taken(k: list[float], size: tuple[int, int]) -> None:
    assert camera(k, size=size).fx_px == k[0]


@pytest.mark.parametrize(
    ("k", "words"),
    [
        (with_values(fx=1e300), r"fx = 1e\+300 px, a field of view of .*0.5° to 179°"),
        (with_values(fx=1e300, fy=1e300), "field of view"),
        (with_values(fx=1e-6), "field of view of 180°"),
        (with_values(fx=-600.0), "fx = -600, fy = 600 px; expected positive focal lengths"),
        (with_values(fx=0.0, fy=0.0), "expected positive focal lengths"),
        (with_values(cx=1e6), r"cx = 1e\+06 px; expected the principal point within 3 image"),
        (with_values(cy=-5000.0), "cy = -5000 px"),
        (with_values(fx=100.0, fy=1000.0), "more than 4 times the other"),
        ([float("nan")] * 9, "nine finite numbers"),
        (with_values(cx=float("inf")), "nine finite numbers"),
        ([1.0, 2.0], "nine finite numbers"),
        ([[1.0, 2.0], [3.0]], "nine numbers"),
    ],
)
def test_what_no_lens_can_have_is_refused(k: object, words: str) -> None:
    with pytest.raises(CameraError, match=words):
        camera(k)


def test_sizes_and_distortion_are_bounded() -> None:
    for size in ((0, 480), (640, 0), (2**32 - 1, 480)):
        with pytest.raises(CameraError, match="expected sides from 1 to"):
            camera(size=size)
    with pytest.raises(CameraError, match="expected finite coefficients"):
        camera(d=[float("nan")] * 5)
    with pytest.raises(CameraError, match="expected finite coefficients"):
        camera(d=[1e300, 0.0])
    with pytest.raises(
        CameraError, match="1000 distortion coefficients of plumb_bob; expected 0 or 4 or 5"
    ):
        camera(d=np.zeros(1000))


@given(st.lists(NUMBERS, min_size=9, max_size=9), st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_is_taken_sees_a_bounded_part_of_space(
    k: list[float], width_px: int, height_px: int
) -> None:
    try:
        taken = camera(k, size=(width_px, height_px))
    except CameraError:
        return
    corners = np.array([[0, 0], [width_px, height_px]], float)
    rays = (corners - [taken.cx_px, taken.cy_px]) / [taken.fx_px, taken.fy_px]
    assert np.abs(rays).max() < 1000
