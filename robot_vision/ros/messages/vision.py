"""Detections and objects as `vision_msgs` (4.x: Humble and later), where it is installed."""

from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Pose, PoseWithCovariance, Quaternion, Vector3

from robot_vision.core.objects import Objects, class_name
from robot_vision.core.types import Perception
from robot_vision.ros.messages.convert import header


def vision_msgs() -> Any | None:
    """The message module, or None where `vision_msgs` is not installed."""
    try:
        import vision_msgs.msg
    except ImportError:
        return None
    return vision_msgs.msg


def detections_message(msgs: Any, perception: Perception) -> Any:
    """`Detection2DArray`, by falling score; `id` is the track that a detection belongs to."""
    detections, tracks = perception.detections, perception.tracks
    id_of = dict(zip(tracks.detection_index.tolist(), tracks.track_id.tolist(), strict=True))
    array = msgs.Detection2DArray(header=header(perception.stamp_ns, perception.frame.frame_id))
    for row, (x0, y0, x1, y1) in enumerate(detections.box_xyxy_px.tolist()):
        name = class_name(perception.class_names, int(detections.class_id[row]))
        item = msgs.Detection2D(header=array.header, id=str(id_of.get(row, "")))
        item.results = [_hypothesis(msgs, name, float(detections.score[row]))]
        item.bbox.center.position.x = (x0 + x1) / 2
        item.bbox.center.position.y = (y0 + y1) / 2
        item.bbox.size_x, item.bbox.size_y = x1 - x0, y1 - y0
        array.detections.append(item)
    return array


def objects_message(msgs: Any, objects: Objects) -> Any:
    """`Detection3DArray` of the confirmed and coasting objects at known positions."""
    array = msgs.Detection3DArray(header=header(objects.stamp_ns, objects.frame_id))
    rows = sorted(objects.visible_rows(), key=lambda row: -objects.score[row])
    for row in rows:
        item = msgs.Detection3D(header=array.header, id=str(objects.track_id[row]))
        pose = _pose(objects, row)
        hypothesis = _hypothesis(msgs, objects.class_name[row], objects.score[row])
        hypothesis.pose = PoseWithCovariance(pose=pose, covariance=_covariance(objects, row))
        item.results = [hypothesis]
        item.bbox.center = pose
        x, y, z = np.nan_to_num(objects.size_m[row].astype(np.float64)).tolist()
        item.bbox.size = Vector3(x=x, y=y, z=z)
        array.detections.append(item)
    return array


def _hypothesis(msgs: Any, name: str, score: float) -> Any:
    result = msgs.ObjectHypothesisWithPose()
    result.hypothesis.class_id = name
    result.hypothesis.score = score
    return result


def _pose(objects: Objects, row: int) -> Pose:
    x, y, z = objects.position_m[row].tolist()
    qx, qy, qz, qw = objects.orientation_xyzw
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def _covariance(objects: Objects, row: int) -> np.ndarray:
    """Row-major 6×6 as in `PoseWithCovariance`; nothing is known about rotation."""
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = objects.covariance_m2[row]
    return covariance.reshape(36)
