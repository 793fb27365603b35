"""Tracked objects as markers: what RViz and Foxglove show without any other package."""

import colorsys

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from robot_vision.core.objects import Objects
from robot_vision.core.types import TrackState
from robot_vision.ros.convert import header

_LIFETIME = Duration(sec=1)
_LABEL_HEIGHT_M = 0.08
_UNKNOWN_SIZE_M = 0.1


def markers_of(objects: Objects) -> MarkerArray:
    """A box and a label per object: `ns` is the class (and `<class>/label`), `id` the track."""
    markers = [Marker(header=header(objects.stamp_ns, objects.frame_id), action=Marker.DELETEALL)]
    for row in objects.visible_rows():
        size_m = np.where(np.isfinite(objects.size_m[row]), objects.size_m[row], _UNKNOWN_SIZE_M)
        markers += [_box(objects, row, size_m), _label(objects, row, size_m)]
    return MarkerArray(markers=markers)


def _box(objects: Objects, row: int, size_m: np.ndarray) -> Marker:
    x, y, z = np.maximum(size_m, 0.01).tolist()
    marker = _marker(objects, row, ns=objects.class_name[row], kind=Marker.CUBE)
    marker.scale = Vector3(x=x, y=y, z=z)
    return marker


def _label(objects: Objects, row: int, size_m: np.ndarray) -> Marker:
    name, score = objects.class_name[row], objects.score[row]
    marker = _marker(objects, row, ns=f"{name}/label", kind=Marker.TEXT_VIEW_FACING)
    marker.scale.z = _LABEL_HEIGHT_M
    marker.text = f"{name} {objects.track_id[row]} {score:.2f}"
    if objects.state[row] == TrackState.COASTING:
        marker.text += f" unseen {objects.unseen_s[row]:.1f} s"
    # Above the box as the camera sees it: its y points down.
    up = _rotate(objects.orientation_xyzw, np.array([0.0, -1.0, 0.0]))
    lift = up * (size_m[1] / 2 + _LABEL_HEIGHT_M)
    marker.pose.position.x += float(lift[0])
    marker.pose.position.y += float(lift[1])
    marker.pose.position.z += float(lift[2])
    return marker


def _marker(objects: Objects, row: int, *, ns: str, kind: int) -> Marker:
    x, y, z = objects.position_m[row].tolist()
    qx, qy, qz, qw = objects.orientation_xyzw
    return Marker(
        header=header(objects.stamp_ns, objects.frame_id),
        ns=ns,
        id=objects.track_id[row] % 2**31,
        type=kind,
        action=Marker.ADD,
        pose=Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw)),
        color=_color(objects.track_id[row], coasting=objects.state[row] == TrackState.COASTING),
        lifetime=_LIFETIME,
    )


def _color(track_id: int, *, coasting: bool) -> ColorRGBA:
    # Steps of the golden ratio keep the hues of neighbouring ids apart.
    r, g, b = colorsys.hsv_to_rgb(track_id * 0.618034 % 1.0, 0.7, 1.0)
    return ColorRGBA(r=r, g=g, b=b, a=0.25 if coasting else 0.6)


def _rotate(quaternion_xyzw: tuple[float, ...], vector: np.ndarray) -> np.ndarray:
    axis, w = np.array(quaternion_xyzw[:3]), quaternion_xyzw[3]
    return vector + 2 * np.cross(axis, np.cross(axis, vector) + w * vector)
