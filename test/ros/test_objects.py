"""Objects in their output frame, as JSON, markers and vision_msgs."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from visualization_msgs.msg import Marker

from robot_vision.core.cameras.geometry import transform_from_quaternion
from robot_vision.core.results.objects import json_of, objects_of, quaternion_xyzw
from robot_vision.core.types import Detections, Frame, Perception, Tracks, TrackState
from robot_vision.replay.writing.file_messages import FileMessages
from robot_vision.ros.messages.live import LiveMessages
from robot_vision.topics.content.detections import new_detections, new_objects
from robot_vision.topics.content.markers import MarkerWriter

NAN = float("nan")
# Camera optical axes (x right, y down, z forward) in a frame x forward, y left, z up, 1 m higher.
BASE_FROM_CAMERA = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1], [0, 0, 0, 1.0]])


def perception() -> Perception:
    """Three tracks: a confirmed cup, a coasting chair, a tentative thing without depth."""
    position = np.array([[0.1, 0.2, 1.0], [0.5, 0.0, 3.0], [NAN, NAN, NAN]], np.float32)
    boxes = np.array([[10, 10, 20, 30], [40, 10, 60, 40], [0, 0, 5, 5]], np.float32)
    tracks = Tracks(
        stamp_ns=2_500_000_000,
        track_id=np.array([7, 9, 11]),
        state=np.array([TrackState.CONFIRMED, TrackState.COASTING, TrackState.TENTATIVE]),
        box_xyxy_px=boxes,
        score=np.array([0.9, 0.6, 0.5], np.float32),
        class_id=np.array([0, 1, 5]),
        position_in_camera_m=position,
        position_covariance_m2=np.stack([np.diag([1, 2, 3]).astype(np.float32)] * 3),
        velocity_in_camera_mps=np.array([[0, 0, 1], [0, 0, 0], [NAN] * 3], np.float32),
        velocity_covariance_m2ps2=np.zeros((3, 3, 3), np.float32),
        size_m=np.array([[0.1, 0.12, 0.1], [0.5, 0.9, NAN], [NAN] * 3], np.float32),
        age_s=np.array([1, 2, 0], np.float32),
        unseen_s=np.array([0, 0.4, 0], np.float32),
        detection_index=np.array([0, -1, 1]),
    )
    detections = Detections(
        stamp_ns=tracks.stamp_ns,
        box_xyxy_px=boxes[[0, 2]],
        score=tracks.score[[0, 2]],
        class_id=tracks.class_id[[0, 2]],
    )
    frame = Frame(
        stamp_ns=tracks.stamp_ns, frame_id="optical", rgb=np.zeros((48, 64, 3), np.uint8)
    )
    return Perception(
        stamp_ns=tracks.stamp_ns,
        frame=frame,
        detections=detections,
        depth=None,
        features=None,
        lifted=None,
        tracks=tracks,
        class_names=("cup", "chair"),
        model_id="m@1",
        stage_s={},
        notes=("a note",),
    )


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4))
def test_a_rotation_and_its_quaternion_say_the_same(values: list[float]) -> None:
    quaternion = np.array(values)
    if np.linalg.norm(quaternion) < 1e-3:
        return
    rotation = transform_from_quaternion(np.zeros(3), quaternion)[:3, :3]
    again = transform_from_quaternion(np.zeros(3), np.array(quaternion_xyzw(rotation)))[:3, :3]
    np.testing.assert_allclose(again, rotation, atol=1e-9)


def test_json_has_every_track_and_null_where_nothing_is_known() -> None:
    p = perception()
    text = json_of(objects_of(p), p, age_s=0.0125, stage_s={"inference": 0.008})
    said = json.loads(text)
    assert (said["stamp_ns"], said["frame_id"], said["age_ms"]) == (2_500_000_000, "optical", 12.5)
    assert (said["stage_ms"], said["notes"]) == ({"inference": 8.0}, ["a note"])
    cup, chair, thing = said["objects"]
    assert (cup["id"], cup["class"], cup["state"]) == (7, "cup", "confirmed")
    assert cup["position_m"] == pytest.approx([0.1, 0.2, 1.0])
    assert (chair["state"], chair["unseen_s"], chair["size_m"]) == ("coasting", 0.4, None)
    assert (thing["class"], thing["position_m"]) == ("5", None)
    assert "NaN" not in text


def test_in_a_target_frame_everything_turns_with_it() -> None:
    objects = objects_of(perception(), target_frame="base", target_from_camera=BASE_FROM_CAMERA)
    assert objects.frame_id == "base"
    np.testing.assert_allclose(objects.position_m[0], [1.0, -0.1, 0.8], atol=1e-6)
    np.testing.assert_allclose(objects.velocity_mps[0], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(objects.covariance_m2[0], np.diag([3, 1, 2]), atol=1e-6)


def test_markers_show_what_is_confirmed_or_coasting_at_a_known_place() -> None:
    objects = objects_of(perception(), target_frame="base", target_from_camera=BASE_FROM_CAMERA)
    markers = list(MarkerWriter(LiveMessages()).write(objects).markers)
    assert markers[0].action == Marker.DELETEALL
    boxes = [m for m in markers if m.type == Marker.CUBE and m.action == Marker.ADD]
    labels = [m for m in markers if m.type == Marker.TEXT_VIEW_FACING]
    assert [(m.ns, m.id) for m in boxes] == [("cup", 7), ("chair", 9)]
    assert [m.text for m in labels] == ["cup 7 0.90", "chair 9 0.60 unseen 0.4 s"]
    assert {m.header.frame_id for m in markers} == {"base"}
    assert labels[0].pose.position.z > boxes[0].pose.position.z


def test_markers_say_nothing_of_the_frame_before() -> None:
    both = objects_of(perception())
    one = replace(
        both,
        **{
            name: getattr(both, name)[1:2]
            for name, values in vars(both).items()
            if isinstance(values, list | np.ndarray)
        },
    )
    writer = MarkerWriter(LiveMessages())
    for objects in (both, one, both):
        assert writer.write(objects) == MarkerWriter(LiveMessages()).write(objects)


def test_detections_carry_the_track_they_belong_to() -> None:
    array = new_detections(FileMessages(), perception())
    cup, thing = array.detections
    assert (cup.id, thing.id) == ("7", "11")
    assert cup.results[0].hypothesis.class_id == "cup"
    assert (cup.bbox.center.position.x, cup.bbox.size_y) == (15, 20)


def test_objects_carry_pose_covariance_and_size() -> None:
    array = new_objects(FileMessages(), objects_of(perception()))
    cup, chair = array.detections
    assert (cup.id, chair.id) == ("7", "9")
    assert cup.bbox.center.position.z == pytest.approx(1.0)
    assert cup.bbox.size.y == pytest.approx(0.12)
    covariance = np.asarray(cup.results[0].pose.covariance).reshape(6, 6)
    # An angle that may be any one, rather than one that is known for certain.
    np.testing.assert_allclose(np.diag(covariance), [1, 2, 3, *3 * [np.pi**2 / 3]])


def test_what_is_predicted_and_not_seen_is_marked() -> None:
    cup, chair = new_objects(FileMessages(), objects_of(perception())).detections
    assert [result.hypothesis.class_id for result in cup.results] == ["cup"]
    said = [(result.hypothesis.class_id, result.hypothesis.score) for result in chair.results]
    assert said == [("chair", pytest.approx(0.6)), ("coasting", 0.0)]


def test_without_a_transform_nothing_has_a_place_in_the_target_frame() -> None:
    objects = objects_of(perception(), target_frame="base")
    assert objects.frame_id == "base"
    assert np.isnan(objects.position_m).all()
    assert not new_objects(FileMessages(), objects).detections
