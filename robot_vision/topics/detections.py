"""Detections and objects as `vision_msgs` (4.x: Humble and later)."""

from typing import Any

import numpy as np

from robot_vision.core.objects import Objects, class_name
from robot_vision.core.types import Perception, TrackState
from robot_vision.topics.messages import Messages, new_header

COASTING = "coasting"
# The variance of an angle that is uniform over a turn.
ANY_TURN_RAD2 = np.pi**2 / 3


def new_detections(messages: Messages, perception: Perception) -> Any:
    """`Detection2DArray`, by falling score; `id` is the track that a detection belongs to."""
    detections, tracks = perception.detections, perception.tracks
    id_of = dict(zip(tracks.detection_index.tolist(), tracks.track_id.tolist(), strict=True))
    array = messages.new("vision_msgs/msg/Detection2DArray")
    array.header = new_header(messages, perception.stamp_ns, perception.frame.frame_id)
    for row, (x0, y0, x1, y1) in enumerate(detections.box_xyxy_px.tolist()):
        item = messages.new("vision_msgs/msg/Detection2D")
        item.header, item.id = array.header, str(id_of.get(row, ""))
        name = class_name(perception.class_names, int(detections.class_id[row]))
        item.results = [_hypothesis(messages, name, float(detections.score[row]))]
        centre = item.bbox.center.position
        centre.x, centre.y = (x0 + x1) / 2, (y0 + y1) / 2
        item.bbox.size_x, item.bbox.size_y = x1 - x0, y1 - y0
        array.detections.append(item)
    return array


def new_objects(messages: Messages, objects: Objects) -> Any:
    """`Detection3DArray` of the confirmed and coasting objects at known positions.

    A coasting object, which is predicted and not seen, has a second hypothesis, `COASTING` with
    score 0: it never wins against what the object is.
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
