"""Keypoints and oriented boxes belong to the tracks that were seen with them in this frame."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.boxes import oriented_corners
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.results.keypoints import COCO_KEYPOINTS, FACE_LANDMARKS, bones_of, side_of
from robot_vision.core.results.objects import json_of, keypoints_json_of, objects_of
from robot_vision.core.results.shapes import by_track
from robot_vision.core.types import Detections, Frame, Percept, Perception
from robot_vision.pipeline import Pipeline
from robot_vision.replay.writing.file_messages import FileMessages
from robot_vision.topics.content.detections import new_detections, new_keypoints
from robot_vision.tracking import build_tracker

NAMES = ("nose", "left_eye", "right_eye")
LEFT = np.array([10, 20, 60, 120], np.float32)
RIGHT = np.array([200, 30, 260, 130], np.float32)


def found(*boxes: np.ndarray, stamp_ns: int = 0) -> Detections:
    """Boxes whose keypoints are their first corner, their centre and a place that is unknown."""
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    keypoint = np.full((len(xyxy), 3, 3), np.nan, np.float32)
    keypoint[:, 0, :2], keypoint[:, 0, 2] = xyxy[:, :2], 0.9
    keypoint[:, 1, :2] = (xyxy[:, :2] + xyxy[:, 2:]) / 2
    oriented = np.concatenate([keypoint[:, 1, :2], np.full((len(xyxy), 2), 40)], axis=1)
    return Detections(
        stamp_ns=stamp_ns,
        box_xyxy_px=xyxy,
        score=np.full(len(xyxy), 0.9, np.float32),
        class_id=np.zeros(len(xyxy), np.int64),
        keypoint=keypoint,
        keypoint_names=NAMES,
        oriented_box=np.pad(oriented, ((0, 0), (0, 1)), constant_values=0.3).astype(np.float32),
    )


class Scripted:
    """A perceiver that finds what it is given."""

    class_names: tuple[str, ...] = ("person",)
    model_id, provider, fallback_reason = "scripted@1", "none", ""

    def __init__(self) -> None:
        self.next = found()

    def perceive(self, frame: Frame) -> Percept:
        detections = replace(self.next, stamp_ns=frame.stamp_ns)
        return Percept(
            detections=detections, depth=None, features=None, stage_s={"inference": 0.0}
        )

    def forget(self) -> None: ...

    def with_config(self, _config: ServiceConfig) -> "Scripted":
        return self

    def close(self) -> None: ...


def watch(*frames: Detections, **values: Any) -> list[Perception]:
    config = with_values(ServiceConfig(), {"tracker.birth_evidence": -5.0, **values})
    perceiver = Scripted()
    pipeline = Pipeline(config, perceiver=perceiver, tracker=build_tracker(config.tracker))
    seen = []
    for number, detections in enumerate(frames):
        perceiver.next = detections
        rgb = np.zeros((240, 320, 3), np.uint8)
        seen.append(pipeline.process(Frame(stamp_ns=number * 50_000_000, frame_id="cam", rgb=rgb)))
    return seen


def rows_of(perception: Perception) -> list[dict[str, Any]]:
    text = json_of(objects_of(perception), perception, age_s=0, stage_s={})
    assert "NaN" not in text
    return json.loads(text)["objects"]


def test_a_track_has_the_keypoints_of_the_detection_that_it_matched() -> None:
    """The order of detections changes from frame to frame; tracks keep theirs."""
    for perception in watch(*[found(LEFT, RIGHT), found(RIGHT, LEFT)] * 4):
        rows = {row["id"]: row for row in rows_of(perception)}
        assert len(rows) == 2
        for row in rows.values():
            nose, eye, lost = row["keypoints"]
            assert nose["xy_px"] == pytest.approx(row["box_xyxy_px"][:2], abs=1.0)
            assert (nose["name"], nose["score"]) == ("nose", 0.9)
            assert (eye["score"], lost["xy_px"], lost["score"]) == (None, None, None)
            assert row["oriented_box"]["center_px"] == pytest.approx(eye["xy_px"])
            assert row["oriented_box"]["angle_rad"] == pytest.approx(0.3)


def test_a_coasting_track_repeats_nothing_of_the_frame_before() -> None:
    *_, last = watch(*[found(LEFT, RIGHT)] * 5, found(RIGHT))
    coasting, seen = sorted(rows_of(last), key=lambda row: row["box_xyxy_px"][0])
    assert (coasting["state"], coasting["keypoints"], coasting["oriented_box"]) == (
        "coasting",
        None,
        None,
    )
    assert seen["keypoints"][0]["xy_px"] == RIGHT[:2].tolist()
    said = json.loads(keypoints_json_of(last))
    assert [row["id"] for row in said["objects"]] == [seen["id"]]
    assert said["names"] == list(NAMES)


def test_a_frame_that_is_skipped_says_that_nobody_was_seen() -> None:
    """Silence would leave the last keypoints standing; an empty message takes them back."""
    computed, skipped = watch(*[found(LEFT)] * 6, compute_every=2)[-2:]
    assert rows_of(computed)[0]["keypoints"] is not None
    assert rows_of(skipped)[0]["keypoints"] is None
    assert json.loads(keypoints_json_of(skipped))["objects"] == []
    message = new_keypoints(FileMessages(), skipped)
    assert message is not None
    assert message.detections == []


def test_a_model_without_keypoints_has_no_topic_of_them() -> None:
    plain = replace(found(LEFT), keypoint=None, keypoint_names=(), oriented_box=None)
    (perception,) = watch(plain)
    assert new_keypoints(FileMessages(), perception) is None
    assert rows_of(perception)[0]["keypoints"] is None


def test_every_keypoint_is_a_detection_without_a_size() -> None:
    perception = watch(*[found(LEFT, RIGHT)] * 3)[-1]
    message = new_keypoints(FileMessages(), perception)
    assert message is not None
    said = [
        (d.id, d.results[0].hypothesis.class_id, d.bbox.center.position.x, d.bbox.size_x)
        for d in message.detections
    ]
    assert said == [
        *[("1", "nose", 10.0, 0.0), ("1", "left_eye", 35.0, 0.0)],
        *[("2", "nose", 200.0, 0.0), ("2", "left_eye", 230.0, 0.0)],
    ]
    assert np.isnan(message.detections[1].results[0].hypothesis.score)


def test_detections_have_the_angle_and_size_of_their_oriented_box() -> None:
    box = new_detections(FileMessages(), watch(found(LEFT))[0]).detections[0].bbox
    assert box.center.theta == pytest.approx(0.3)
    assert (box.center.position.x, box.size_x, box.size_y) == (35.0, 40.0, 40.0)


ONE_TRACK = watch(found(LEFT))[0].tracks


@given(st.lists(st.integers(-2, 5), max_size=6))
def test_no_track_gets_the_row_of_another(index: list[int]) -> None:
    rows = np.arange(4, dtype=np.float32)[:, None]
    repeated = {
        name: np.repeat(values, len(index), axis=0)
        for name, values in vars(ONE_TRACK).items()
        if isinstance(values, np.ndarray)
    }
    many = replace(ONE_TRACK, **repeated | {"detection_index": np.array(index, np.int64)})
    given_rows = by_track(rows, many)
    assert given_rows is not None
    expected = [float(i) if 0 <= i < 4 else np.nan for i in index]
    np.testing.assert_array_equal(given_rows[:, 0], np.array(expected, np.float32))


def test_bones_join_what_belongs_together_on_each_side() -> None:
    named = {
        frozenset((COCO_KEYPOINTS[a], COCO_KEYPOINTS[b])) for a, b in bones_of(COCO_KEYPOINTS)
    }
    assert len(named) == 18
    assert {"left_knee", "left_ankle"} in named
    assert {"left_hip", "right_hip"} in named
    crossing = [bone for bone in named if {side_of(name) for name in bone} == {"left", "right"}]
    assert len(crossing) == 2
    assert len(bones_of(FACE_LANDMARKS)) == 5
    assert bones_of(("corner", "handle", "lid")) == []


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("left_eye", "left"),
        ("Right Ear", "right"),
        ("wrist-l", "left"),
        ("R_Hip", "right"),
        ("nose", ""),
        ("leftover", ""),
        ("bright", ""),
    ],
)
def test_the_side_stands_in_the_name(name: str, side: str) -> None:
    assert side_of(name) == side


@given(
    st.floats(-500, 500), st.floats(-500, 500), st.floats(0.1, 300), st.floats(0.1, 300),
    st.floats(-7, 7),
)  # fmt: skip
def test_corners_have_the_box_s_centre_sides_and_angle(
    x: float, y: float, width: float, height: float, angle_rad: float
) -> None:
    corners = oriented_corners(np.array([[x, y, width, height, angle_rad]]))[0]
    np.testing.assert_allclose(corners.mean(axis=0), [x, y], atol=1e-6)
    along = corners[1] - corners[0]
    expected = width * np.array([np.cos(angle_rad), np.sin(angle_rad)])
    np.testing.assert_allclose(along, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(corners[2] - corners[1]), height, atol=1e-6)
