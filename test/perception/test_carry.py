"""Models that carry state: outputs of a frame reach the next one, and end where time does."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting_bundle import make_counting_bundle
from native_bundle import HEIGHT_PX, WIDTH_PX, make_native_bundle
from pydantic import ValidationError

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelInput
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Camera, Frame
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.pipeline import Pipeline, build_pipeline

SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ServiceConfig:
    """A detector, and beside it a model that counts its frames."""
    folder = tmp_path_factory.mktemp("bundles")
    return ServiceConfig(
        model=str(make_native_bundle(folder / "one-cube")),
        feature_model=str(make_counting_bundle(folder / "counting", carried_gap_s=0.5)),
        threads=1,
        device="cpu",
    )


def frame_at(stamp_s: float, **changes: Any) -> Frame:
    rgb = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    return replace(Frame(stamp_ns=round(stamp_s * SECOND_NS), frame_id="c", rgb=rgb), **changes)


def counts(pipeline: Pipeline, *stamps_s: float) -> list[int]:
    """What the model counts at each frame."""
    seen = [pipeline.process(frame_at(stamp_s)).features for stamp_s in stamps_s]
    assert all(features is not None and np.ptp(features.grid) == 0 for features in seen)
    return [int(features.grid[0, 0, 0]) for features in seen if features is not None]


def test_what_a_frame_gives_is_what_the_next_one_gets(config: ServiceConfig) -> None:
    assert counts(build_pipeline(config), 1.0, 1.1, 1.2, 1.3) == [1, 2, 3, 4]


def test_a_stamp_that_goes_back_begins_anew(config: ServiceConfig) -> None:
    assert counts(build_pipeline(config), 1.0, 1.1, 0.9, 1.0) == [1, 2, 1, 2]


def test_a_gap_begins_anew_from_the_bound_of_the_manifest_on(config: ServiceConfig) -> None:
    assert counts(build_pipeline(config), 1.0, 1.5, 2.01, 2.1) == [1, 2, 1, 2]


def test_a_repeated_stamp_goes_on(config: ServiceConfig) -> None:
    assert counts(build_pipeline(config), 1.0, 1.0) == [1, 2]


def test_another_camera_begins_anew(config: ServiceConfig) -> None:
    pipeline = build_pipeline(config)
    assert counts(pipeline, 1.0, 1.1) == [1, 2]
    features = pipeline.process(frame_at(1.2, frame_id="other")).features
    assert features is not None
    assert features.grid.max() == 1


def test_intrinsics_of_another_lens_begin_anew(config: ServiceConfig) -> None:
    pipeline, found = build_pipeline(config), []
    for stamp_s, focal_px in ((1.0, 50.0), (1.1, 50.2), (1.2, 80.0)):
        intrinsics = np.array([[focal_px, 0, 31.5], [0, focal_px, 23.5], [0, 0, 1]])
        camera = Camera(
            frame_id="c", width_px=WIDTH_PX, height_px=HEIGHT_PX, intrinsics_px=intrinsics
        )
        features = pipeline.process(frame_at(stamp_s, camera=camera)).features
        assert features is not None
        found.append(int(features.grid.max()))
    assert found == [1, 2, 1]


def test_other_parameters_begin_anew(config: ServiceConfig) -> None:
    pipeline = build_pipeline(config)
    assert counts(pipeline, 1.0, 1.1) == [1, 2]
    pipeline.adjust(config.model_copy(update={"compute_every": 1}))
    assert counts(pipeline, 1.2, 1.3) == [1, 2]


def test_a_model_that_comes_back_has_forgotten(config: ServiceConfig) -> None:
    pipeline = build_pipeline(config)
    assert counts(pipeline, 1.0, 1.1) == [1, 2]
    first = pipeline.swap_perceiver(build_perceiver(config))
    assert counts(pipeline, 1.2) == [1]
    pipeline.swap_perceiver(first).close()
    assert counts(pipeline, 1.3, 1.4) == [1, 2]


def test_two_runs_over_the_same_frames_are_equal(config: ServiceConfig) -> None:
    pipeline = build_pipeline(config)
    stamps_s = (5.0, 5.1, 5.9, 6.0)
    assert counts(pipeline, *stamps_s) == counts(pipeline, *stamps_s)


def test_what_is_not_finite_is_logged_and_does_not_stay(
    config: ServiceConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = make_counting_bundle(tmp_path / "broken", step=float("inf"))
    pipeline = build_pipeline(config.model_copy(update={"feature_model": str(broken)}))
    with caplog.at_level(logging.WARNING):
        pipeline.process(frame_at(1.0))
        pipeline.process(frame_at(1.1))
    assert caplog.text.count("broken@1 carries values for counted that are not finite") == 2


@pytest.mark.parametrize(
    ("carried", "said"),
    [
        ({"input": "counted", "output": "features", "shape": [1]}, "expects float32 [1, 1]"),
        ({"input": "counted", "output": "sum", "shape": [1]}, "no output 'sum'"),
        (
            {"input": "counted", "output": "count", "shape": [2]},
            "manifest says float32 [1, 2]",
        ),
        ({"input": "past", "output": "count", "shape": [1]}, "the model has: rgb, counted"),
    ],
    ids=["shape", "no-output", "input-shape", "no-input"],
)
def test_a_manifest_that_does_not_fit_its_model_is_refused(
    config: ServiceConfig, tmp_path: Path, carried: dict[str, Any], said: str
) -> None:
    bundle = make_counting_bundle(tmp_path / "counting", carried=[carried])
    with pytest.raises(BundleError) as error:
        build_perceiver(config.model_copy(update={"feature_model": str(bundle)}))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch": 2}, "needs batch: 1, not 2"),
        ({"carried": [{"input": "a", "output": "b", "shape": [0]}]}, "greater than 0"),
        ({"carried": [{"input": "a", "output": "b", "shape": []}]}, "at least 1"),
        ({"carried": [{"input": "a", "output": "b", "shape": [9999, 9999]}]}, "at most 16777216"),
        ({"carried": 2 * [{"input": "a", "output": "b", "shape": [1]}]}, "listed twice"),
        ({"carried_gap_s": 0}, "greater than 0"),
    ],
    ids=["batch", "zero", "empty", "huge", "twice", "gap"],
)
def test_bad_descriptions_of_state_are_named(changes: dict[str, Any], said: str) -> None:
    carried = [{"input": "a", "output": "b", "shape": [1]}]
    described = {"name": "rgb", "width_px": 64, "height_px": 48, "carried": carried}
    with pytest.raises(ValidationError) as error:
        ModelInput.model_validate(described | changes)
    assert said in str(error.value)
