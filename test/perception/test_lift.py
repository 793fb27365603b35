"""From boxes to metres: the object in the box, not the wall behind it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.cameras.geometry import project
from robot_vision.core.types import Camera, Depth, DepthSource, Detections
from robot_vision.perception.lift import lift

CAMERA = Camera(
    frame_id="camera",
    width_px=640,
    height_px=480,
    intrinsics_px=np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]),
)


def detections(*boxes: tuple[float, ...], mask: np.ndarray | None = None) -> Detections:
    count = len(boxes)
    return Detections(
        stamp_ns=1,
        box_xyxy_px=np.array(boxes, np.float32).reshape(count, 4),
        score=np.ones(count, np.float32),
        class_id=np.zeros(count, np.int64),
        mask=mask,
    )


def depth(depth_m: np.ndarray) -> Depth:
    return Depth(
        stamp_ns=1,
        depth_m=depth_m.astype(np.float32),
        confidence=np.isfinite(depth_m).astype(np.float32),
        source="sensor",
        valid_fraction=float(np.isfinite(depth_m).mean()),
    )


def wall_with(
    box: tuple[int, int, int, int], near_m: float, wall_m: float, scale: int = 1
) -> np.ndarray:
    """A wall with a disc in front of it that fills `box`."""
    y, x = np.mgrid[0:480:scale, 0:640:scale]
    left, top, right, bottom = box
    inside = ((x - (left + right) / 2) / (right - left)) ** 2 + (
        (y - (top + bottom) / 2) / (bottom - top)
    ) ** 2 <= 0.25
    return np.where(inside, near_m, wall_m)


@given(
    st.floats(0.3, 3.0),
    st.floats(1.15, 3.0),
    st.integers(0, 500),
    st.integers(0, 350),
    st.integers(20, 130),
    st.sampled_from([1, 2, 8]),
)
def test_the_object_is_measured_not_the_wall(
    near_m: float, wall_ratio: float, left: int, top: int, size: int, scale: int
) -> None:
    box = (left, top, left + size, top + size)
    scene = wall_with(box, near_m, near_m * wall_ratio, scale)
    lifted = lift(detections(box), depth=depth(scene), camera=CAMERA)
    assert lifted.position_in_camera_m[0, 2] == pytest.approx(near_m, rel=0.02)
    centre = project(lifted.position_in_camera_m.astype(float), camera=CAMERA)[0]
    assert np.allclose(centre, [left + size / 2, top + size / 2], atol=0.1)
    assert np.allclose(lifted.size_m[0, :2], size / 500 * near_m, rtol=0.02)


def test_thin_objects_are_found_before_a_wall_that_fills_most_of_the_box() -> None:
    scene = np.full((480, 640), 3.0)
    scene[100:300, 240:280] = 1.0  # a lamp post in a wide box
    lifted = lift(detections((200, 100, 320, 300)), depth=depth(scene), camera=CAMERA)
    assert lifted.position_in_camera_m[0, 2] == pytest.approx(1.0, rel=0.02)


def test_a_mask_says_which_pixels_count() -> None:
    scene = np.full((480, 640), 2.0)
    scene[:, 300:] = 1.0  # something else stands in front of half of the box
    mask = np.zeros((1, 120, 160), bool)
    mask[0, 25:75, 50:74] = True
    boxes = detections((200, 100, 400, 300), mask=mask)
    assert lift(boxes, depth=depth(scene), camera=CAMERA).position_in_camera_m[
        0, 2
    ] == pytest.approx(2.0, rel=0.02)


def test_noise_and_strays_do_not_move_it() -> None:
    rng = np.random.default_rng(0)
    scene = wall_with((200, 100, 400, 300), 1.0, 2.0) + rng.normal(0, 0.004, (480, 640))
    scene[rng.random((480, 640)) < 0.03] = 0.35  # flying pixels
    scene[rng.random((480, 640)) < 0.4] = np.nan
    lifted = lift(detections((200, 100, 400, 300)), depth=depth(scene), camera=CAMERA)
    assert lifted.position_in_camera_m[0, 2] == pytest.approx(1.0, abs=0.01)


def test_covariance_is_a_covariance_and_grows_with_distance_and_spread() -> None:
    sigma = []
    for distance_m in (0.5, 1.0, 2.0, 4.0):
        flat = depth(np.full((480, 640), distance_m))
        covariance = lift(detections((10, 10, 60, 60)), depth=flat, camera=CAMERA).covariance_m2[0]
        assert np.allclose(covariance, covariance.T)
        assert (np.linalg.eigvalsh(covariance.astype(float)) > 0).all()
        sigma.append(np.sqrt(covariance[2, 2]))
    assert np.allclose(np.array(sigma[1:]) / sigma[:-1], 4, rtol=0.01)  # σ ∝ distance²
    rough = np.full((480, 640), 1.0) + np.random.default_rng(0).normal(0, 0.02, (480, 640))
    lifted = lift(detections((10, 10, 60, 60)), depth=depth(rough), camera=CAMERA)
    assert np.sqrt(lifted.covariance_m2[0, 2, 2]) > 4 * sigma[1]


def test_third_size_is_the_extent_along_the_axis() -> None:
    scene = np.tile(np.linspace(1.0, 1.1, 640), (480, 1))
    lifted = lift(detections((0, 100, 640, 300)), depth=depth(scene), camera=CAMERA)
    # 5th to 95th percentile of the middle 70 % of the box.
    assert lifted.size_m[0, 2] == pytest.approx(0.1 * 0.7 * 0.9, rel=0.1)


def test_no_valid_depth_gives_nan_rows_and_leaves_the_others() -> None:
    scene = np.full((480, 640), np.nan)
    scene[300:, 300:] = 1.5
    lifted = lift(
        detections((0, 0, 100, 100), (320, 320, 400, 400)), depth=depth(scene), camera=CAMERA
    )
    for array in (lifted.position_in_camera_m, lifted.size_m, lifted.covariance_m2):
        assert np.isnan(array[0]).all()
        assert np.isfinite(array[1]).all()


@pytest.mark.parametrize("focal_px", [0.0, -5.0, np.nan])
def test_intrinsics_of_no_camera_give_nan(focal_px: float) -> None:
    camera = Camera(
        frame_id="c",
        width_px=640,
        height_px=480,
        intrinsics_px=np.array([[focal_px, 0, 320], [0, 500, 240], [0, 0, 1]]),
    )
    lifted = lift(detections((0, 0, 99, 99)), depth=depth(np.ones((480, 640))), camera=camera)
    assert np.isnan(lifted.position_in_camera_m).all()


def test_lens_distortion_is_undone() -> None:
    distortion = np.array([-0.3, 0.1, 0.0, 0.0, 0.0])
    camera = Camera(
        frame_id="c",
        width_px=640,
        height_px=480,
        intrinsics_px=CAMERA.intrinsics_px,
        distortion=distortion,
    )
    # Where the lens shows the point (0.4, 0.2, 1).
    r2 = 0.4**2 + 0.2**2
    bend = 1 + distortion[0] * r2 + distortion[1] * r2**2
    u, v = 320 + 500 * 0.4 * bend, 240 + 500 * 0.2 * bend
    box = (u - 1, v - 1, u + 1, v + 1)
    lifted = lift(detections(box), depth=depth(np.ones((480, 640))), camera=camera)
    assert np.allclose(lifted.position_in_camera_m[0], [0.4, 0.2, 1.0], atol=2e-3)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (480, 640)])
def test_boxes_at_and_beyond_the_rim(shape: tuple[int, int]) -> None:
    boxes = detections((0, 0, 640, 480), (639.5, 479.5, 640, 480), (0, 0, 0.2, 0.2))
    lifted = lift(boxes, depth=depth(np.ones(shape)), camera=CAMERA)
    assert lifted.position_in_camera_m.shape == (3, 3)
    assert not (lifted.position_in_camera_m[:, 2] < 1).any()


def test_no_detections_give_no_rows() -> None:
    lifted = lift(detections(), depth=depth(np.ones((4, 4))), camera=CAMERA)
    assert lifted.position_in_camera_m.shape == (0, 3)


def filled(depth_m: np.ndarray, measured: np.ndarray, source: DepthSource = "fused") -> Depth:
    """Depth known everywhere, of which only some was measured."""
    return replace(
        depth(depth_m), confidence=np.where(measured, 1, 0.4).astype(np.float32), source=source
    )


def test_filled_depth_alone_lifts_nothing() -> None:
    seen = np.ones((480, 640), bool)
    seen[80:320, 180:420] = False
    guessed = filled(np.full((480, 640), 1.2), seen)
    boxes = detections((200, 100, 400, 300), (450, 100, 600, 300))
    for rough in (False, True):
        lifted = lift(boxes, depth=guessed, camera=CAMERA, rough=rough)
        assert np.isnan(lifted.position_in_camera_m[0]).all()
        assert np.isnan(lifted.covariance_m2[0]).all()
        assert lifted.position_in_camera_m[1, 2] == pytest.approx(1.2)


def test_filled_depth_does_not_move_what_was_measured() -> None:
    scene = np.full((480, 640), 0.6)  # the guess is nearer than anything that was seen
    seen = np.zeros((480, 640), bool)
    seen[180:220, 280:320] = True
    scene[seen] = 1.5
    lifted = lift(detections((200, 100, 400, 300)), depth=filled(scene, seen), camera=CAMERA)
    assert lifted.position_in_camera_m[0, 2] == pytest.approx(1.5)


def test_depth_from_colour_alone_lifts_only_where_that_is_allowed_and_says_how_rough() -> None:
    guessed = filled(np.full((480, 640), 1.2), np.zeros((480, 640), bool), "model")
    boxes = detections((200, 100, 400, 300))
    assert np.isnan(lift(boxes, depth=guessed, camera=CAMERA).position_in_camera_m).all()
    lifted = lift(boxes, depth=guessed, camera=CAMERA, rough=True)
    assert lifted.position_in_camera_m[0, 2] == pytest.approx(1.2)
    assert np.sqrt(lifted.covariance_m2[0, 2, 2]) > 0.1 * 1.2
