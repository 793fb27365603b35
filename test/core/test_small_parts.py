"""Registry, clock and timing."""

import numpy as np
import pytest

from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import UnknownNameError
from robot_vision.core.registry import Registry
from robot_vision.core.timing import Percentiles, span, spans_kept, timed
from robot_vision.core.types import Camera


def test_unknown_names_say_what_there_is_and_what_was_meant() -> None:
    registry: Registry[int] = Registry("detector")
    registry.register("yolox")(1)
    registry.register("detr")(2)
    with pytest.raises(UnknownNameError) as caught:
        registry.get("yolo")
    assert str(caught.value) == (
        "unknown detector 'yolo'; available: detr, yolox; did you mean 'yolox'?"
    )


def test_a_name_is_registered_once() -> None:
    registry: Registry[int] = Registry("detector")
    registry.register("yolox")(1)
    with pytest.raises(ValueError, match="registered twice"):
        registry.register("yolox")(2)
    assert (list(registry), len(registry), "yolox" in registry) == (["yolox"], 1, True)


def test_seconds_have_the_sign_of_time() -> None:
    assert seconds_between(5, 1_500_000_005) == 1.5
    assert seconds_between(1_500_000_005, 5) == -1.5


def test_percentiles_cover_the_recent_past_only() -> None:
    values = Percentiles(size=100)
    assert values.summary() == {}
    for value in [1e9] * 50 + list(range(100)):
        values.add(value)
    summary = values.summary()
    assert summary["max"] == 99
    assert summary["p50"] == pytest.approx(49.5)
    assert summary["p50"] < summary["p95"] < summary["p99"] < summary["max"]


def test_timing_adds_up_and_survives_errors() -> None:
    stage_s: dict[str, float] = {}
    for _ in range(2):
        with pytest.raises(RuntimeError), timed(stage_s, "work"):
            raise RuntimeError
    first = stage_s["work"]
    with timed(stage_s, "work"):
        pass
    assert stage_s["work"] > first > 0


def test_cameras_differ_by_size_frame_intrinsics_or_distortion() -> None:
    def camera(**changes: object) -> Camera:
        values: dict = {
            "frame_id": "c",
            "width_px": 64,
            "height_px": 48,
            "intrinsics_px": np.eye(3),
        }
        return Camera(**(values | changes))

    assert camera().same_as(camera())
    assert not camera().same_as(None)
    for change in (
        {"frame_id": "d"},
        {"width_px": 65},
        {"intrinsics_px": 2 * np.eye(3)},
        {"distortion": np.ones(5)},
        {"distortion_model": "equidistant"},
    ):
        assert not camera().same_as(camera(**change))


def test_spans_are_kept_where_somebody_asked_and_nowhere_else() -> None:
    stage_s: dict[str, float] = {}
    with spans_kept() as spans, timed(stage_s, "publish"), span("overlay"):
        pass
    with timed(stage_s, "publish"), span("features"):
        pass
    assert [one.name for one in spans] == ["overlay", "publish"]
    inner, outer = spans
    assert outer.start_s <= inner.start_s <= inner.end_s <= outer.end_s
    assert list(stage_s) == ["publish"]
    assert stage_s["publish"] > outer.end_s - outer.start_s
