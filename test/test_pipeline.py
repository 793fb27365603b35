"""The stages joined: stamps, restarts, skipped frames; what is missing is reported."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_bundle import HEIGHT_PX, WIDTH_PX, make_native_bundle
from threadpoolctl import threadpool_info

from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Camera, Frame, RobotView
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.pipeline import Pipeline, build_pipeline

SECOND_NS = 1_000_000_000
CAMERA = Camera(
    frame_id="camera_optical",
    width_px=WIDTH_PX,
    height_px=HEIGHT_PX,
    intrinsics_px=np.array([[50.0, 0, 31.5], [0, 50.0, 23.5], [0, 0, 1]]),
)
MEASURED_M = 1.5


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_native_bundle(tmp_path_factory.mktemp("bundles") / "one-cube")


def make_pipeline(bundle: Path, **config: Any) -> Pipeline:
    return build_pipeline(ServiceConfig(model=str(bundle), threads=1, device="cpu", **config))


def frame_at(stamp_s: float, **changes: Any) -> Frame:
    stamp_ns = round(stamp_s * SECOND_NS)
    values: dict[str, Any] = {
        "stamp_ns": stamp_ns,
        "frame_id": CAMERA.frame_id,
        "rgb": np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8),
        "camera": CAMERA,
        "depth_m": np.full((HEIGHT_PX, WIDTH_PX), MEASURED_M, np.float32),
        "depth_stamp_ns": stamp_ns,
    }
    return Frame(**(values | changes))


def run(pipeline: Pipeline, *, seconds: float = 1.0, start_s: float = 1.0, **changes: Any):
    return [
        pipeline.process(frame_at(start_s + k / 30, **changes)) for k in range(round(seconds * 30))
    ]


def test_every_part_carries_the_frames_stamp_and_the_object_is_where_its_depth_is(
    bundle: Path,
) -> None:
    last = run(make_pipeline(bundle))[-1]
    assert last.features is not None
    assert last.depth is not None
    stamps = {
        last.stamp_ns,
        last.frame.stamp_ns,
        last.detections.stamp_ns,
        last.features.stamp_ns,
        last.depth.stamp_ns,
        last.tracks.stamp_ns,
    }
    assert stamps == {frame_at(1 + 29 / 30).stamp_ns}
    assert len(last.tracks) == 1
    np.testing.assert_allclose(last.tracks.position_in_camera_m, [[0, 0, MEASURED_M]], atol=0.05)
    assert last.class_names[last.tracks.class_id[0]] == "cube"
    assert {"preprocess", "inference", "postprocess", "lift", "track"} <= last.stage_s.keys()
    assert last.notes == ()


def test_a_track_keeps_its_id(bundle: Path) -> None:
    ids = {int(i) for p in run(make_pipeline(bundle), seconds=2) for i in p.tracks.track_id}
    assert len(ids) == 1


def test_stamps_that_go_back_begin_an_epoch_with_new_ids(bundle: Path) -> None:
    pipeline = make_pipeline(bundle)
    first = run(pipeline)[-1]
    again = run(pipeline)
    assert "went back by 0.967 s" in again[0].notes[0]
    assert again[-1].tracks.epoch == first.tracks.epoch + 1
    assert again[-1].tracks.track_id[0] > first.tracks.track_id[0]


def test_a_repeated_stamp_is_reported_and_restarts_nothing(bundle: Path) -> None:
    pipeline = make_pipeline(bundle)
    before = run(pipeline)[-1]
    after = pipeline.process(before.frame)
    assert "repeated" in after.notes[0]
    assert after.tracks.epoch == before.tracks.epoch
    assert after.tracks.track_id.tolist() == before.tracks.track_id.tolist()


def test_another_resolution_restarts_tracking_and_goes_on(bundle: Path) -> None:
    pipeline = make_pipeline(bundle)
    first = run(pipeline)[-1]
    rgb = np.zeros((2 * HEIGHT_PX, 2 * WIDTH_PX, 3), np.uint8)
    camera = replace(CAMERA, width_px=2 * WIDTH_PX, height_px=2 * HEIGHT_PX)
    second = run(pipeline, start_s=3, rgb=rgb, camera=camera)
    assert second[0].notes == ("the camera changed: tracking restarted",)
    assert second[-1].tracks.epoch == first.tracks.epoch + 1
    np.testing.assert_allclose(second[-1].tracks.box_xyxy_px[0], [32, 24, 96, 72], atol=2)


@pytest.mark.parametrize(("factor", "restarts"), [(1.01, False), (1.3, True)])
def test_focus_may_breathe_but_another_zoom_restarts(
    bundle: Path, factor: float, restarts: bool
) -> None:
    pipeline = make_pipeline(bundle)
    run(pipeline)
    camera = replace(CAMERA, intrinsics_px=CAMERA.intrinsics_px * [[factor], [factor], [1]])
    notes = pipeline.process(frame_at(2.5, camera=camera)).notes
    assert any("camera changed" in note for note in notes) == restarts


def test_what_was_tracked_before_the_robot_was_known_is_forgotten(bundle: Path) -> None:
    """An arm may be a bottle until its description comes, and coast as one for long."""
    robot = RobotView(
        mask=np.ones((HEIGHT_PX, WIDTH_PX), bool),
        depth_m=np.full((HEIGHT_PX // 4, WIDTH_PX // 4), MEASURED_M, np.float32),
    )
    pipeline = make_pipeline(bundle)
    assert len(run(pipeline)[-1].tracks) == 1
    known = run(pipeline, start_s=2.05, robot=robot)
    assert known[0].notes == ("the robot is known from this frame on: tracking restarted",)
    assert [len(seen.tracks) for seen in known] == [0] * len(known)
    lost = run(pipeline, start_s=3.1)[-1]
    found = pipeline.process(frame_at(4.15, robot=robot))
    assert found.tracks.epoch == lost.tracks.epoch, "joints that were late are no new robot"


def test_it_forgets_when_it_is_asked_to(bundle: Path) -> None:
    pipeline = make_pipeline(bundle)
    before = run(pipeline)[-1]
    pipeline.forget()
    after = run(pipeline, start_s=2.05)[-1]
    assert after.tracks.epoch == before.tracks.epoch + 1
    assert after.tracks.track_id[0] > before.tracks.track_id[0]


def test_without_intrinsics_objects_stay_in_2d_and_it_says_so(bundle: Path) -> None:
    last = run(make_pipeline(bundle), camera=None)[-1]
    assert last.notes == ("no intrinsics: objects stay in 2-D",)
    assert last.lifted is None
    assert len(last.tracks) == 1
    assert np.isnan(last.tracks.position_in_camera_m).all()


def test_depth_from_colour_alone_is_called_rough_and_lifts_nothing(bundle: Path) -> None:
    last = run(make_pipeline(bundle), depth_m=None, depth_stamp_ns=None)[-1]
    assert last.depth is not None
    assert last.depth.source == "model"
    assert "depth is rough, from colour alone" in last.notes[0]
    assert np.isnan(last.tracks.position_in_camera_m).all()


def test_depth_from_colour_alone_serves_where_a_parameter_says_so(bundle: Path) -> None:
    pipeline = make_pipeline(bundle, depth={"lift_rough": True})
    last = run(pipeline, depth_m=None, depth_stamp_ns=None)[-1]
    assert "rough" in last.notes[0]
    assert last.tracks.position_in_camera_m[0, 2] == pytest.approx(2.0, abs=0.05)
    assert last.tracks.position_covariance_m2[0, 2, 2] > 0.1**2


def test_without_any_depth_objects_stay_in_2d_and_it_says_so(bundle: Path) -> None:
    pipeline = make_pipeline(bundle, depth={"mode": "sensor"})
    last = run(pipeline, depth_m=None, depth_stamp_ns=None)[-1]
    assert last.notes == ("no depth: objects stay in 2-D",)
    assert last.depth is None


def test_skipped_frames_carry_tracks_and_re_use_features(bundle: Path) -> None:
    perceptions = run(make_pipeline(bundle, compute_every=3), seconds=2)
    computed = ["inference" in p.stage_s for p in perceptions]
    assert computed == [k % 3 == 0 for k in range(len(perceptions))]
    last = perceptions[-1]
    assert last.features is perceptions[-3].features
    assert len(last.tracks) == 1
    assert last.tracks.stamp_ns == last.stamp_ns
    assert "frame skipped" in last.notes[-1]
    assert len({int(i) for p in perceptions for i in p.tracks.track_id}) == 1


def test_another_model_takes_over_between_two_frames(bundle: Path, tmp_path: Path) -> None:
    pipeline = make_pipeline(bundle)
    first = run(pipeline)[-1]
    other = make_native_bundle(tmp_path / "one-ball", classes=("ball",))
    config = ServiceConfig(model=str(other), threads=1, device="cpu")
    old = pipeline.swap_perceiver(build_perceiver(config))
    old.close()
    second = run(pipeline, start_s=3)[-1]
    assert (first.model_id, second.model_id) == ("one-cube@1", "one-ball@1")
    assert second.class_names == ("ball",)
    assert second.tracks.epoch == first.tracks.epoch + 1


@given(steps_ms=st.lists(st.integers(-500, 1000), min_size=1, max_size=12))
@settings(max_examples=10, deadline=None)
def test_any_order_of_stamps_is_served_and_ids_never_return(
    bundle: Path, steps_ms: list[int]
) -> None:
    pipeline = make_pipeline(bundle)
    now_s, epoch, ended = 100.0, 0, -1
    for step_ms in steps_ms:
        now_s += step_ms / 1e3
        for perception in run(pipeline, seconds=0.2, start_s=now_s):
            tracks = perception.tracks
            if tracks.epoch > epoch:
                epoch = tracks.epoch
                assert (tracks.track_id > ended).all()
            ended = max([ended, *tracks.track_id.tolist()])


def test_other_libraries_leave_the_cores_to_the_models(bundle: Path) -> None:
    cv2.setNumThreads(2)
    make_pipeline(bundle)
    assert cv2.getNumThreads() == 1
    pools = threadpool_info()
    assert [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"] != []
    assert all(pool["num_threads"] == 1 for pool in pools if pool["user_api"] == "blas")
