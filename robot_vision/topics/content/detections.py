"""Detections and objects as `vision_msgs` (4.x: Humble and later)."""

from typing import Any

import numpy as np

from robot_vision.core.results.objects import Objects, class_name
from robot_vision.core.results.shapes import by_track
from robot_vision.core.types import Detections, Perception, TrackState
from robot_vision.topics.messages import Messages, new_header

COASTING = "coasting"
# The variance of an angle that is uniform over a turn.
ANY_TURN_RAD2 = np.pi**2 / 3


def new_detections(messages: Messages, perception: Perception) -> Any:
    """`Detection2DArray`, by falling score; `id` is the track that a detection belongs to.

    An oriented box has its own centre, size and `theta`, from x towards y to its width.
    """
    detections, tracks = perception.detections, perception.tracks
    id_of = dict(zip(tracks.detection_index.tolist(), tracks.track_id.tolist(), strict=True))
    array = messages.new("vision_msgs/msg/Detection2DArray")
    array.header = new_header(messages, perception.stamp_ns, perception.frame.frame_id)
    for row in range(len(detections)):
        item = messages.new("vision_msgs/msg/Detection2D")
        item.header, item.id = array.header, str(id_of.get(row, ""))
        name = class_name(perception.class_names, int(detections.class_id[row]))
        item.results = [_hypothesis(messages, name, float(detections.score[row]))]
        _set_box(item.bbox, detections, row)
        array.detections.append(item)
    return array


def new_keypoints(messages: Messages, perception: Perception) -> Any | None:
    """`Detection2DArray` of the keypoints of tracks seen in this frame: a box of no size for each.

    `id` is the track, the class is the keypoint's name; a score is NaN where the model gives
    none. None where the model has no keypoints.
    """
    detections, tracks = perception.detections, perception.tracks
    keypoint = by_track(detections.keypoint, tracks)
    if keypoint is None:
        return None
    array = messages.new("vision_msgs/msg/Detection2DArray")
    array.header = new_header(messages, perception.stamp_ns, perception.frame.frame_id)
    for track_id, points in zip(tracks.track_id.tolist(), keypoint.tolist(), strict=True):
        for name, (x_px, y_px, score) in zip(detections.keypoint_names, points, strict=True):
            if not np.isfinite([x_px, y_px]).all():
                continue
            item = messages.new("vision_msgs/msg/Detection2D")
            item.header, item.id = array.header, str(track_id)
            item.results = [_hypothesis(messages, name, score)]
            item.bbox.center.position.x, item.bbox.center.position.y = x_px, y_px
            array.detections.append(item)
    return array


def new_objects(messages: Messages, objects: Objects) -> Any:
    """`Detection3DArray` of the confirmed and coasting objects at known positions.

    A coasting object, which is predicted and not seen, has a second hypothesis, `COASTING` with
    score 0, which never wins against its class.
    """
    array = messages.new("vision_msgs/msg/Detection3DArray")
    array.header = new_header(messages, objects.stamp_ns, objects.frame_id)
    for row in sorted(objects.visible_rows(), key=lambda row: -objects.score[row]):
        item = messages.new("vision_msgs/msg/Detection3D")
        item.header, item.id = array.header, str(objects.track_id[row])
        hypothesis = _hypothesis(messages, objects.class_name[row], objects.score[row])
        _place(hypothesis.pose.pose, objects, row)
        hypothesis.pose.covariance = _covariance(objects, row)
        item.results = [hypothesis]
        if objects.state[row] == TrackState.COASTING:
            item.results.append(_hypothesis(messages, COASTING, 0.0))
        _place(item.bbox.center, objects, row)
        size = item.bbox.size
        size.x, size.y, size.z = np.nan_to_num(objects.size_m[row].astype(np.float64)).tolist()
        array.detections.append(item)
    return array


def _set_box(box: Any, detections: Detections, row: int) -> None:
    place = box.center.position
    if detections.oriented_box is not None:
        oriented = detections.oriented_box[row].tolist()
        place.x, place.y, box.size_x, box.size_y, box.center.theta = oriented
        return
    x0, y0, x1, y1 = detections.box_xyxy_px[row].tolist()
    place.x, place.y = (x0 + x1) / 2, (y0 + y1) / 2
    box.size_x, box.size_y = x1 - x0, y1 - y0


def _hypothesis(messages: Messages, name: str, score: float) -> Any:
    result = messages.new("vision_msgs/msg/ObjectHypothesisWithPose")
    result.hypothesis.class_id, result.hypothesis.score = name, score
    return result


def _place(pose: Any, objects: Objects, row: int) -> None:
    position, turn = pose.position, pose.orientation
    position.x, position.y, position.z = objects.position_m[row].tolist()
    turn.x, turn.y, turn.z, turn.w = objects.orientation_xyzw


def _covariance(objects: Objects, row: int) -> np.ndarray:
    """Row-major 6×6 as in `PoseWithCovariance`; any rotation is as likely."""
    covariance = np.diag([0.0, 0.0, 0.0, *3 * [ANY_TURN_RAD2]])
    covariance[:3, :3] = objects.covariance_m2[row]
    return covariance.reshape(36)
