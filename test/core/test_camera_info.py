"""What `CameraInfo` says becomes a camera that sees as OpenCV and image_geometry say, or words."""

from typing import Any

import numpy as np
import pytest
from camera_numbers import Case, is_unfolded, message, random_case, seen_at
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.cameras.camera_info import calibration_of, camera_of, is_rectified
from robot_vision.core.cameras.geometry import deproject
from robot_vision.core.errors import CameraError
from robot_vision.core.types import Camera

LARGEST_ERROR_M = 1e-3
K = [[600.0, 0, 330], [0, 601, 235], [0, 0, 1]]
P = [[550.0, 0, 320, 0], [0, 550, 240, 0], [0, 0, 1, 0]]
BARREL = [-0.35, 0.12, 0.0, 0.0, 0.0]


def check(case: Case, rng: np.random.Generator) -> tuple[int, int]:
    """How many points are found where they are, and how many are left unknown."""
    camera = camera_of(
        calibration_of(case.info), image_size_px=case.image_size_px, rectified=case.rectified
    ).camera
    assert (camera.width_px, camera.height_px) == case.image_size_px
    point_m = np.hstack([rng.uniform(-1.2, 1.2, (60, 2)), np.ones((60, 1))])
    pixel_px = seen_at(case, point_m)
    is_seen = ((pixel_px > -0.5) & (pixel_px < np.array(case.image_size_px) - 0.5)).all(axis=1)
    is_seen &= is_unfolded(case, point_m)
    found_m = deproject(pixel_px[is_seen], np.ones(is_seen.sum()), camera=camera)
    error_m = np.abs(found_m - point_m[is_seen]).max(axis=1)
    unknown = np.isnan(error_m)
    assert (error_m[~unknown] < LARGEST_ERROR_M).all(), (case.info, error_m)
    return int(np.count_nonzero(~unknown)), int(np.count_nonzero(unknown))


@given(st.integers(0, 2**32))
def test_points_are_where_opencv_says_they_are_seen(seed: int) -> None:
    rng = np.random.default_rng(seed)
    check(random_case(rng), rng)


@pytest.mark.slow
def test_ten_thousand_cameras() -> None:
    rng = np.random.default_rng(0)
    found = unknown = 0
    for _ in range(10_000):
        here = check(random_case(rng), rng)
        found, unknown = found + here[0], unknown + here[1]
    print(f"{found} points found, {unknown} unknown")
    assert found > 50_000
    assert unknown < 0.001 * found


def read(image_size_px: tuple[int, int] | None = None, *, rectified: bool = False, **info: Any):
    numbers = message(**{"width": 640, "height": 480, "k": K, **info})
    return camera_of(calibration_of(numbers), image_size_px=image_size_px, rectified=rectified)


def lens(camera: Camera) -> list[float]:
    return [camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px]


def test_a_rectified_image_has_p_and_no_distortion() -> None:
    raw, rectified = (read(d=BARREL, p=P, rectified=r) for r in (False, True))
    assert lens(raw.camera) == [600, 601, 330, 235]
    assert raw.camera.distortion.tolist() == BARREL
    assert raw.notes == ()
    assert lens(rectified.camera) == [550, 550, 320, 240]
    assert not rectified.camera.distortion.any()
    assert "P is used" in rectified.notes[0]


def test_k_of_zeros_leaves_p() -> None:
    reading = read(k=np.zeros((3, 3)), d=np.zeros(5), p=P)
    assert lens(reading.camera) == [550, 550, 320, 240]
    assert reading.notes == ("K is all zeros: P is used",)
    with pytest.raises(CameraError, match="K is all zeros, but there is a distortion"):
        read(k=np.zeros((3, 3)), d=BARREL, p=P)
    with pytest.raises(CameraError, match="uncalibrated"):
        read(k=np.zeros((3, 3)), p=np.zeros((3, 4)))


def test_a_rectified_image_without_p_needs_a_straight_lens() -> None:
    assert "K is used" in read(p=np.zeros((3, 4)), rectified=True).notes[0]
    with pytest.raises(CameraError, match="P is all zeros, but the image is rectified"):
        read(d=BARREL, p=np.zeros((3, 4)), rectified=True)


def test_the_second_camera_of_a_pair_sees_from_its_own_centre() -> None:
    second = np.array(P)
    second[0, 3] = -550 * 0.06
    raw, rectified = (read(d=BARREL, p=second, rectified=r) for r in (False, True))
    assert lens(raw.camera) == [600, 601, 330, 235]
    assert raw.notes == ()
    assert lens(rectified.camera) == [550, 550, 320, 240]
    assert any("baseline of 0.06 m" in note and "its own" in note for note in rectified.notes)
    below = np.array(P)
    below[1, 3] = 550 * 0.1
    assert "baseline of 0.1 m" in read(k=np.zeros((3, 3)), p=below).notes[0]


@pytest.mark.parametrize("d", [[0.0] * 4, []])
def test_a_fisheye_without_coefficients_is_the_pure_equidistant_projection(d: list) -> None:
    reading = read(model="equidistant", d=d)
    assert "r = f θ" in reading.notes[0]
    angle = np.radians([0.0, 30, 60, 80])
    pixel_px = np.stack([330 + 600 * angle, np.full(4, 235.0)], axis=1)
    found_m = deproject(pixel_px, np.ones(4), camera=reading.camera)
    assert found_m[:, 0] == pytest.approx(np.tan(angle))


def test_rectified_axes_that_are_turned_are_noted() -> None:
    turn = [[0.9998, 0, 0.02], [0, 1, 0], [-0.02, 0, 0.9998]]
    notes = read(d=BARREL, p=P, r=turn, rectified=True).notes
    assert any("R rotates rectified images" in note for note in notes)


def test_region_and_binning_are_those_of_image_geometry() -> None:
    reading = read((150, 100), roi=(100, 50, 300, 200), binning=(2, 2))
    assert lens(reading.camera) == [300, 300.5, 115, 92.5]
    # Odd regions are binned by rounding up or down.
    assert read((151, 101), roi=(100, 50, 301, 201), binning=(2, 2)).camera.width_px == 151


def test_a_region_whose_size_stands_for_the_image_moves_the_centre() -> None:
    reading = read(
        width=320,
        height=240,
        k=[[300, 0, 480], [0, 300, 320], [0, 0, 1]],
        roi=(320, 200, 320, 240),
    )
    assert lens(reading.camera) == [300, 300, 160, 120]
    assert "taken as the size of the region" in reading.notes[0]
    with pytest.raises(CameraError, match="expected a region within the image"):
        read(
            width=320,
            height=240,
            k=[[300, 0, 160], [0, 300, 120], [0, 0, 1]],
            roi=(9, 9, 320, 240),
        )


def test_binning_of_an_image_that_is_not_binned_gives_another_size() -> None:
    assert read((640, 480), binning=(2, 2)).camera.width_px == 320


def test_no_size_takes_the_image_s_where_the_centre_fits() -> None:
    reading = read((640, 480), width=0, height=0)
    assert (reading.camera.width_px, reading.camera.height_px) == (640, 480)
    assert "has no size" in reading.notes[0]
    with pytest.raises(CameraError, match="not near the centre of the image of 1280×720"):
        read((1280, 720), width=0, height=0)
    with pytest.raises(CameraError, match="0×0 px"):
        read(width=0, height=0)


@pytest.mark.parametrize(
    ("model", "d", "kind", "count"),
    [
        ("plumb_bob", [], "plumb_bob", 0),
        ("plumb_bob", [0.1, 0.1, 0, 0], "plumb_bob", 4),
        ("plumb_bob", BARREL, "plumb_bob", 5),
        ("rational_polynomial", [0.1] * 8, "rational_polynomial", 8),
        ("rational_polynomial", [0.01] * 12, "rational_polynomial", 12),
        ("rational_polynomial", [0.01] * 14, "rational_polynomial", 14),
        ("equidistant", [0.1, 0, 0, 0], "equidistant", 4),
        ("Kannala Brandt4", [0.1, 0, 0, 0], "equidistant", 4),
        ("", BARREL, "plumb_bob", 5),
        ("", [], "plumb_bob", 0),
        ("Inverse Brown Conrady", [0.0] * 5, "plumb_bob", 0),
    ],
)
def test_models_by_their_names_and_counts(model: str, d: list, kind: str, count: int) -> None:
    camera = read(model=model, d=d).camera
    assert (camera.distortion_model, camera.distortion.size) == (kind, count)


@pytest.mark.parametrize(
    ("model", "d", "words"),
    [
        (
            "double_sphere",
            [0.1, 0.2],
            r"'double_sphere' with 2 coefficients; expected one of plumb",
        ),
        ("double_sphere", [], "'double_sphere' with 0 coefficients"),
        ("inverse_brown_conrady", BARREL, "'inverse_brown_conrady' with 5"),
        ("", [0.1, 0.0, 0.0, 0.0], "'' with 4 coefficients"),
        ("equidistant", BARREL, "5 distortion coefficients of equidistant; expected 4"),
        ("plumb_bob", [0.1] * 6, "6 distortion coefficients of plumb_bob; expected 0 or 4"),
    ],
)
def test_other_models_are_refused_by_name(model: str, d: list, words: str) -> None:
    with pytest.raises(CameraError, match=words):
        read(model=model, d=d)
    assert read(model=model, d=d, p=P, rectified=True).camera.fx_px == 550  # it is undone there


@pytest.mark.parametrize(
    ("k", "words"),
    [
        ([600, 0, 0, 0, 600, 0, 320, 240, 1], "row by row"),
        ([600, 9, 320, 0, 600, 240, 0, 0, 1], "skew of 9 px"),
    ],
)
def test_matrices_of_another_form_are_refused(k: list[float], words: str) -> None:
    with pytest.raises(CameraError, match=words):
        read(k=k)


def test_messages_of_ros_1_have_capitals() -> None:
    info = message(width=640, height=480, k=K, d=BARREL)
    for name in "kdpr":
        setattr(info, name.upper(), getattr(info, name))
        delattr(info, name)
    assert calibration_of(info).same_as(
        calibration_of(message(width=640, height=480, k=K, d=BARREL))
    )


@pytest.mark.parametrize(
    ("topic", "is_so"),
    [
        ("/cam/image_rect", True),
        ("/cam/image_rect_color/compressed", True),
        ("/zed/left/color/rect/image", True),
        ("/cam/rectified/image", True),
        ("/cam/image_raw", False),
        ("/director/direct/image", False),
        ("/cam/unrectified/image", False),
    ],
)
def test_a_topic_s_name_says_whether_it_is_rectified(topic: str, is_so: bool) -> None:
    assert is_rectified(topic) is is_so
    assert is_rectified(topic, setting="yes")
    assert not is_rectified(topic, setting="no")
