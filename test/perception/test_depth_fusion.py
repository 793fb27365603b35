"""Depth: the sensor where it is valid, an aligned model elsewhere, and its source by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.parameters.config import DepthConfig
from robot_vision.core.types import ROUGH, Depth
from robot_vision.perception.depth.fusion import (
    DepthKind,
    fuse_depth,
    scale_and_shift_to,
    uses_model,
)

Y, X = np.mgrid[0:120, 0:160]
RGB = np.zeros((120, 160, 3), np.uint8)
TRUE_M = (1 + X / 100 + Y / 200 + 0.3 * (np.hypot(X - 80, Y - 60) < 30)).astype(np.float32)


def fuse(
    sensor_m: np.ndarray | None,
    model: np.ndarray | None,
    kind: DepthKind = "metric",
    **config: object,
) -> Depth | None:
    return fuse_depth(
        stamp_ns=5,
        rgb=RGB,
        sensor_m=sensor_m,
        model_depth=model,
        kind=kind,
        config=DepthConfig.model_validate(config),
    )


def sensor_with_holes(*, wrong_share: float = 0.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sensor = TRUE_M + rng.normal(0, 0.003, TRUE_M.shape).astype(np.float32)
    sensor[rng.random(TRUE_M.shape) < wrong_share] = 8.0
    sensor[30:70, 40:100] = np.nan
    return sensor


@given(st.floats(0.2, 5), st.sampled_from([0.0, 0.3]), st.sampled_from([1, 2, 4]))
def test_a_metric_model_is_scaled_to_the_sensor(scale: float, wrong: float, step: int) -> None:
    sensor = sensor_with_holes(wrong_share=wrong)
    model = (TRUE_M * np.float32(scale))[::step, ::step].copy()
    depth = fuse(sensor, model, fill="model")
    assert depth is not None
    assert (depth.source, depth.stamp_ns, depth.valid_fraction) == ("fused", 5, 1.0)
    holes = np.isnan(sensor)
    assert np.array_equal(depth.depth_m[~holes], sensor[~holes])
    error = np.abs(depth.depth_m / TRUE_M - 1)[holes]
    assert np.median(error) < 0.02


@given(st.floats(0.05, 20), st.floats(-0.1, 5), st.sampled_from([0.0, 0.3]))
def test_a_relative_model_is_scaled_and_shifted_in_inverse_depth(
    scale: float, shift: float, wrong: float
) -> None:
    relative = (scale * (1 / TRUE_M + shift)).astype(np.float32)
    sensor = sensor_with_holes(wrong_share=wrong)
    depth = fuse(sensor, relative, "relative", fill="model")
    assert depth is not None
    assert depth.source == "fused"
    holes = np.isnan(sensor)
    assert np.median(np.abs(depth.depth_m / TRUE_M - 1)[holes]) < 0.02


@given(st.floats(-3, 3), st.floats(-5, 5), st.floats(0, 0.33))
def test_the_fit_survives_many_outliers(slope: float, shift: float, share: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 4, 400)
    y = slope * x + shift
    y[rng.random(400) < share] += 20
    found = scale_and_shift_to(y, x)
    assert np.allclose(found, (slope, shift), atol=0.02)


def test_without_a_sensor_a_metric_model_stands_alone() -> None:
    depth = fuse(None, TRUE_M)
    assert depth is not None
    assert depth.source == "model"
    assert np.array_equal(depth.depth_m, TRUE_M)


def test_a_sensor_that_sees_nothing_leaves_the_model() -> None:
    depth = fuse(np.full((120, 160), np.nan, np.float32), TRUE_M)
    assert depth is not None
    assert (depth.source, depth.valid_fraction) == ("model", 1.0)


@pytest.mark.parametrize(
    ("sensor", "model", "kind"),
    [
        (None, None, "metric"),
        (None, 1 / TRUE_M, "relative"),  # no scale without a sensor
    ],
)
def test_what_is_not_metric_is_not_depth(
    sensor: np.ndarray | None, model: np.ndarray | None, kind: DepthKind
) -> None:
    assert fuse(sensor, model, kind) is None


@pytest.mark.parametrize(
    "model",
    [
        np.full((30, 40), np.nan, np.float32),
        np.zeros((30, 40), np.float32),
        (TRUE_M[::4, ::4]).copy(),  # farther is larger: not inverse depth
        np.full((30, 40), 3.0, np.float32),
    ],
)
def test_a_relative_model_that_says_nothing_leaves_the_sensor(model: np.ndarray) -> None:
    sensor = sensor_with_holes()
    depth = fuse(sensor, model, "relative", fill="model")
    assert depth is not None
    known = np.isfinite(sensor)
    assert np.array_equal(depth.depth_m[known], sensor[known])


def test_all_nan_from_the_sensor_alone_is_depth_of_nothing() -> None:
    depth = fuse(np.full((4, 5), np.nan, np.float32), None)
    assert depth is not None
    assert (depth.source, depth.valid_fraction) == ("sensor", 0.0)


def test_a_complete_sensor_needs_no_model() -> None:
    depth = fuse(TRUE_M, TRUE_M * 3)
    assert depth is not None
    assert depth.source == "sensor"


def test_depth_out_of_range_is_unknown() -> None:
    sensor = np.array([[0.05, 0.5], [5.0, 50.0]], np.float32)
    depth = fuse(sensor, None, mode="sensor", min_m=0.1, max_m=10.0)
    assert depth is not None
    assert np.array_equal(depth.depth_m, [[np.nan, 0.5], [5.0, np.nan]], equal_nan=True)
    assert depth.valid_fraction == 0.5


@pytest.mark.parametrize(
    ("mode", "source"), [("fuse", "fused"), ("sensor", "sensor"), ("model", "model")]
)
def test_the_mode_chooses(mode: str, source: str) -> None:
    depth = fuse(sensor_with_holes(), TRUE_M, mode=mode)
    assert depth is not None
    assert depth.source == source


def test_mode_model_without_a_model_gives_none() -> None:
    assert fuse(TRUE_M, None, mode="model") is None


def test_what_was_filled_is_marked_and_worth_less_the_farther_it_is() -> None:
    sensor = sensor_with_holes()
    depth = fuse(sensor, TRUE_M * 2)
    assert depth is not None
    assert depth.source == "fused"
    assert np.array_equal(depth.measured, np.isfinite(sensor))
    assert np.array_equal(depth.depth_m[depth.measured], sensor[depth.measured])
    edge, inner, middle = depth.confidence[50, [40, 45, 70]]
    assert 1 > edge > inner > middle > 0


def test_holes_are_filled_from_the_sensor_unless_a_parameter_says_from_the_model() -> None:
    sensor = sensor_with_holes()
    wrong = TRUE_M * np.linspace(0.5, 2, 160, dtype=np.float32)
    hole = np.isnan(sensor)
    error = {}
    for fill in ("guided", "model"):
        depth = fuse(sensor, wrong, fill=fill)
        assert depth is not None
        error[fill] = np.abs(depth.depth_m / TRUE_M - 1)[hole].mean()
        assert (depth.confidence[hole] <= 0.5).all()
    assert error["guided"] < 0.06 < error["model"]


@pytest.mark.parametrize("sensor", [None, np.full((120, 160), np.nan, np.float32)])
def test_depth_from_colour_alone_is_marked_rough(sensor: np.ndarray | None) -> None:
    depth = fuse(sensor, TRUE_M)
    assert depth is not None
    assert not depth.measured.any()
    assert (depth.confidence == np.float32(ROUGH)).all()


def test_unknown_depth_has_no_confidence() -> None:
    depth = fuse(sensor_with_holes(), None, mode="sensor")
    assert depth is not None
    assert np.array_equal(depth.confidence == 0, np.isnan(depth.depth_m))
    assert np.array_equal(depth.confidence == 1, np.isfinite(depth.depth_m))


@pytest.mark.parametrize(
    ("config", "seeing", "blind"),
    [
        ({}, False, True),
        ({"fill": "model"}, True, True),
        ({"mode": "model"}, True, True),
        ({"mode": "sensor"}, False, False),
    ],
)
def test_a_model_runs_only_for_maps_that_have_something_of_it(
    config: dict[str, str], seeing: bool, blind: bool
) -> None:
    how = DepthConfig.model_validate(config)
    assert uses_model(sensor_with_holes(), how) == seeing
    nothing = np.full((6, 8), np.nan, np.float32)
    assert uses_model(nothing, how) == uses_model(None, how) == blind
