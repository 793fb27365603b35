"""What words name in a frame: boxes, tracks and 3-D of their own, beside a real detector."""

from pathlib import Path

import numpy as np
import pytest
from grounding_bundle import box_of, grounding_bundle, picture
from onnx_models import make_bundle

from robot_vision.core.errors import BundleError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Camera, Frame, Perception, TrackState
from robot_vision.pipeline import Pipeline, build_pipeline

RED, BLUE = (255, 0, 0), (0, 0, 255)
INTRINSICS = np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]])


@pytest.fixture
def config(tmp_path: Path) -> ServiceConfig:
    """A detector that finds nothing, and a model that finds cells of a colour."""
    image = {"name": "images", "width_px": 64, "height_px": 48, "resize": "stretch"}
    manifest = {"task": "detection", "format": "yolov8", "classes": ["cup"], "input": image}
    constants = {"out": np.zeros((1, 5, 9), np.float32)}
    make_bundle(tmp_path / "detector", manifest=manifest, constants=constants)
    return with_values(
        ServiceConfig(threads=1, device="cpu"),
        {
            "model": str(tmp_path / "detector"),
            "grounding_model": str(grounding_bundle(tmp_path / "words")),
            "depth.mode": "sensor",
        },
    )


def frame_of(rgb: np.ndarray, number: int) -> Frame:
    camera = Camera(frame_id="camera", width_px=64, height_px=48, intrinsics_px=INTRINSICS)
    return Frame(
        stamp_ns=number * 100_000_000,
        frame_id="camera",
        rgb=rgb,
        camera=camera,
        depth_m=np.full((48, 64), 1.0, np.float32),
    )


def seen(pipeline: Pipeline, rgb: np.ndarray, frames: range) -> Perception:
    """What is known after the last of these frames."""
    return [pipeline.process(frame_of(rgb, number)) for number in frames][-1]


def test_boxes_are_of_the_phrases_and_tracked(config: ServiceConfig) -> None:
    pipeline = build_pipeline(with_values(config, {"prompt": "blue, red"}))
    found = seen(pipeline, picture({(0, 1): RED, (2, 3): BLUE}), range(1, 8))
    grounding = found.grounding
    assert grounding is not None
    assert len(found.detections) == 0
    tracks = grounding.tracks
    names = [grounding.found.prompt.sought[row] for row in tracks.class_id]
    boxes = dict(zip(names, tracks.box_xyxy_px.round().tolist(), strict=True))
    assert boxes == {"red": box_of(0, 1), "blue": box_of(2, 3)}
    assert set(tracks.state.tolist()) == {TrackState.CONFIRMED}
    assert np.allclose(tracks.position_in_camera_m[:, 2], 1.0, atol=0.05)
    assert found.stage_s["grounding"] > 0


def test_what_is_not_there_is_not_reported(config: ServiceConfig) -> None:
    pipeline = build_pipeline(with_values(config, {"prompt": "green"}))
    grounding = seen(pipeline, picture({(0, 1): RED}), range(1, 3)).grounding
    assert grounding is not None
    assert len(grounding.found.detections) == len(grounding.tracks) == 0


def test_without_words_no_model_runs(config: ServiceConfig) -> None:
    perception = seen(build_pipeline(config), picture({(0, 1): RED}), range(1, 3))
    assert perception.grounding is not None
    assert perception.grounding.found.prompt.phrases == ()
    assert "grounding" not in perception.stage_s


def test_words_change_between_frames_and_ids_go_on(config: ServiceConfig) -> None:
    pipeline = build_pipeline(with_values(config, {"prompt": "red"}))
    rgb = picture({(0, 1): RED, (2, 3): BLUE})
    first = seen(pipeline, rgb, range(1, 6)).grounding
    pipeline.adjust(with_values(config, {"prompt": "blue, red unicorn"}))
    second = seen(pipeline, rgb, range(6, 12)).grounding
    assert first is not None
    assert second is not None
    assert second.found.prompt.sought == ("blue",)
    assert second.found.prompt.phrases[1].unknown_words == ("unicorn",)
    assert second.tracks.box_xyxy_px.round().tolist() == [box_of(2, 3)]
    assert not set(first.tracks.track_id.tolist()) & set(second.tracks.track_id.tolist())
    assert second.tracks.epoch == first.tracks.epoch + 1


def test_the_threshold_is_the_bundles_until_one_is_given(config: ServiceConfig) -> None:
    reddish = picture({(0, 1): (165, 0, 0)})  # scored .72
    asked = with_values(config, {"prompt": "red"})
    found = seen(build_pipeline(asked), reddish, range(1, 2)).grounding
    strict = with_values(asked, {"grounding_threshold": 0.9})
    none = seen(build_pipeline(strict), reddish, range(1, 2)).grounding
    assert found is not None
    assert none is not None
    assert (len(found.found.detections), len(none.found.detections)) == (1, 0)


def test_skipped_frames_carry_what_words_name(config: ServiceConfig) -> None:
    pipeline = build_pipeline(with_values(config, {"prompt": "red", "compute_every": 2}))
    grounding = seen(pipeline, picture({(0, 1): RED}), range(1, 11)).grounding
    assert grounding is not None
    assert grounding.tracks.state.tolist() == [TrackState.COASTING]


def test_a_model_that_takes_no_words_is_refused(config: ServiceConfig) -> None:
    with pytest.raises(BundleError, match="expected grounding"):
        build_pipeline(with_values(config, {"grounding_model": config.model}))
