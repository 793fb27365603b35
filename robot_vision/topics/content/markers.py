"""Tracked objects as markers, which RViz and Foxglove show without further packages."""

import colorsys
from typing import Any

import numpy as np

from robot_vision.core.results.objects import Objects
from robot_vision.core.types import TrackState
from robot_vision.topics.messages import Messages, new_header

# Constants of `visualization_msgs/msg/Marker`.
CUBE, TEXT_VIEW_FACING = 1, 9
ADD, DELETE_ALL = 0, 3
_LIFETIME_S = 1
_LABEL_HEIGHT_M = 0.08
_UNKNOWN_SIZE_M = 0.1
_LEAST_SIZE_M = 0.01


class MarkerWriter:
    """A box and a label per object: `ns` is the class (and `<class>/label`), `id` the track.

    Markers are reused for every frame: creating one takes as long as filling five.
    """

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._clear = messages.new("visualization_msgs/msg/Marker")
        self._clear.action = DELETE_ALL
        self._boxes: list[Any] = []
        self._labels: list[Any] = []

    def write(self, objects: Objects) -> Any:
        """The `MarkerArray` of a frame; valid until the next call."""
        stamped = new_header(self._messages, objects.stamp_ns, objects.frame_id)
        self._clear.header = stamped
        rows = objects.visible_rows()
        while len(self._boxes) < len(rows):
            self._boxes.append(self._marker(CUBE))
            self._labels.append(self._marker(TEXT_VIEW_FACING))
        up = _up(objects.orientation_xyzw)
        for row, box, label in zip(rows, self._boxes, self._labels, strict=False):
            size_m = np.where(
                np.isfinite(objects.size_m[row]), objects.size_m[row], _UNKNOWN_SIZE_M
            )
            name, position_m = objects.class_name[row], objects.position_m[row]
            _fill(box, objects, row, stamped, ns=name, position_m=position_m)
            scale = box.scale
            scale.x, scale.y, scale.z = np.maximum(size_m, _LEAST_SIZE_M).tolist()
            above_m = position_m + up * (size_m[1] / 2 + _LABEL_HEIGHT_M)
            _fill(label, objects, row, stamped, ns=f"{name}/label", position_m=above_m)
            label.text = _text(objects, row)
        shown = len(rows)
        pairs = zip(self._boxes[:shown], self._labels[:shown], strict=True)
        array = self._messages.new("visualization_msgs/msg/MarkerArray")
        array.markers = [self._clear, *(marker for pair in pairs for marker in pair)]
        return array

    def _marker(self, kind: int) -> Any:
        marker = self._messages.new("visualization_msgs/msg/Marker")
        marker.type, marker.action, marker.lifetime.sec = kind, ADD, _LIFETIME_S
        marker.scale.z = _LABEL_HEIGHT_M
        return marker


def _fill(
    marker: Any, objects: Objects, row: int, stamped: Any, *, ns: str, position_m: np.ndarray
) -> None:
    marker.header = stamped
    marker.ns, marker.id = ns, objects.track_id[row] % 2**31
    position, orientation, color = marker.pose.position, marker.pose.orientation, marker.color
    position.x, position.y, position.z = position_m.tolist()
    (orientation.x, orientation.y, orientation.z, orientation.w) = objects.orientation_xyzw
    # Steps of the golden ratio keep the hues of neighbouring ids apart.
    hue = objects.track_id[row] * 0.618034 % 1.0
    color.r, color.g, color.b = colorsys.hsv_to_rgb(hue, 0.7, 1.0)
    color.a = 0.25 if objects.state[row] == TrackState.COASTING else 0.6


def _text(objects: Objects, row: int) -> str:
    text = f"{objects.class_name[row]} {objects.track_id[row]} {objects.score[row]:.2f}"
    if objects.state[row] == TrackState.COASTING:
        text += f" unseen {objects.unseen_s[row]:.1f} s"
    return text


def _up(quaternion_xyzw: tuple[float, float, float, float]) -> np.ndarray:
    """Up in the camera's view (its y points down): minus the rotation's second column."""
    x, y, z, w = quaternion_xyzw
    return -np.array([2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)])
