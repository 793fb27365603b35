"""Classes of a frame and names of labels as `vision_msgs` (4.x: Humble and later)."""

from typing import Any

from robot_vision.core.results.frame_classes import label_names, top_classes
from robot_vision.core.types import Classification, SemanticMap
from robot_vision.topics.messages import Messages, new_header


def new_classification(messages: Messages, found: Classification, *, frame_id: str) -> Any:
    """`Classification`: the most likely classes, by falling probability."""
    message = messages.new("vision_msgs/msg/Classification")
    message.header = new_header(messages, found.stamp_ns, frame_id)
    for name, probability in top_classes(found):
        hypothesis = messages.new("vision_msgs/msg/ObjectHypothesis")
        hypothesis.class_id, hypothesis.score = name, probability
        message.results.append(hypothesis)
    return message


class LabelWriter:
    """One `LabelInfo`, made again when the classes change: there may be thousands."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._class_names: tuple[str, ...] | None = None
        self._message: Any = None

    def write(self, found: SemanticMap, *, frame_id: str) -> Any:
        """What the values of the label image mean; valid until the next call."""
        if self._class_names != found.class_names:
            self._class_names = found.class_names
            self._message = self._messages.new("vision_msgs/msg/LabelInfo")
            for label, name in label_names(found.class_names).items():
                item = self._messages.new("vision_msgs/msg/VisionClass")
                item.class_id, item.class_name = label, name
                self._message.class_map.append(item)
        self._message.header = new_header(self._messages, found.stamp_ns, frame_id)
        return self._message
