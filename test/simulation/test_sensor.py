import numpy as np
import pytest

from robot_vision.simulation.picture.sensor import (
    ColorSensor,
    DepthSensor,
    sense_color,
    sense_depth,
)

FOCAL_PX = 400.0
SHAPE = (120, 160)


def sense(depth_m: np.ndarray, *, sensor: DepthSensor, shade: int = 128, shine: float = 0.0):
    return sense_depth(
        depth_m.astype(np.float32),
        rgb=np.full((*depth_m.shape, 3), shade, np.uint8),
        shine=np.full(depth_m.shape, shine),
        focal_px=FOCAL_PX,
        sensor=sensor,
        rng=np.random.default_rng(0),
    )


def flat(depth_m: float) -> np.ndarray:
    return np.full(SHAPE, depth_m, np.float32)


def test_noise_grows_with_the_square_of_the_range() -> None:
    sensor = DepthSensor(noise_px=0.05, step_px=1e-4, hole_share=0.0)
    near, far = (sense(flat(z), sensor=sensor) for z in (0.8, 2.4))
    assert far.std() / near.std() == pytest.approx(9, rel=0.1)
    expected_m = 0.8**2 * 0.05 / (FOCAL_PX * sensor.baseline_m)
    assert near.std() == pytest.approx(expected_m, rel=0.1)


def test_disparity_comes_in_steps() -> None:
    sensor = DepthSensor(step_px=1 / 8, hole_share=0.0)
    seen = sense(flat(1.0), sensor=sensor)
    steps = FOCAL_PX * sensor.baseline_m / seen * 8
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    assert len(np.unique(seen)) > 1


def test_nothing_is_seen_too_near_or_too_far() -> None:
    sensor = DepthSensor(min_m=0.3, max_m=4.0)
    for depth_m in (0.2, 5.0, 0.0):
        assert not sense(flat(depth_m), sensor=sensor).any()


def test_the_second_imager_misses_what_lies_left_behind_an_edge() -> None:
    depth_m = flat(2.0)
    depth_m[:, 80:120] = 0.5
    seen = sense(depth_m, sensor=DepthSensor(edge_px=0.0, hole_share=0.0))
    shadow_px = FOCAL_PX * 0.05 * (1 / 0.5 - 1 / 2.0)  # 30
    lost = np.flatnonzero((seen == 0).mean(axis=0) > 0.5)
    assert lost.min() == pytest.approx(80 - shadow_px, abs=2)
    assert lost.max() == pytest.approx(79, abs=1)


@pytest.mark.parametrize(
    ("shade", "shine", "least", "most"),
    [(128, 0.0, 0.0, 0.05), (2, 0.0, 0.3, 1.0), (254, 1.0, 0.3, 1.0)],
    ids=["grey and matt", "dark", "glaring"],
)
def test_holes_come_on_dark_and_glaring_surfaces(
    shade: int, shine: float, least: float, most: float
) -> None:
    seen = sense(flat(1.0), sensor=DepthSensor(), shade=shade, shine=shine)
    blobs = sense(flat(1.0), sensor=DepthSensor(), shade=128) == 0
    lost = (seen == 0)[~blobs | (shade == 128)].mean()
    assert least <= lost <= most + 0.05


def test_holes_come_at_flat_angles() -> None:
    rows = np.arange(SHAPE[0], dtype=np.float32)
    leaning = np.repeat((0.6 + 0.02 * rows)[:, None], SHAPE[1], axis=1)  # about 83°
    sensor = DepthSensor(edge_px=0.0)
    lost_facing = (sense(flat(1.0), sensor=sensor) == 0).mean()
    assert (sense(leaning, sensor=sensor) == 0).mean() > lost_facing + 0.15


def test_color_is_exposed_and_noisy_as_asked() -> None:
    picture = np.full((64, 64, 3), 100, np.uint8)
    quiet = ColorSensor(read_noise=0.0, shot_noise=0.0)
    rng = np.random.default_rng(0)
    as_is = sense_color(picture, sensor=quiet, rng=rng)
    assert np.ptp(as_is) == 0
    brighter = sense_color(
        picture, sensor=ColorSensor(exposure=1.5, read_noise=0, shot_noise=0), rng=rng
    )
    assert brighter.mean() == pytest.approx(1.5 * as_is.mean(), rel=0.02)
    noisy = sense_color(picture, sensor=ColorSensor(read_noise=0.02, shot_noise=0), rng=rng)
    assert noisy.std() == pytest.approx(0.02 * 255, rel=0.1)


def test_blur_removes_detail() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    sharp = sense_color(picture, sensor=ColorSensor(), rng=rng)
    for sensor in (ColorSensor(blur_px=2.0), ColorSensor(motion_px=7.0, motion_rad=0.5)):
        assert sense_color(picture, sensor=sensor, rng=rng).std() < 0.6 * sharp.std()
