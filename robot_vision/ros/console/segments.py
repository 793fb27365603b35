"""`~/segment` of a perception node for the console: requests out, answers in."""

import json
from functools import partial

from pydantic import ValidationError
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from robot_vision.console.command_schema import Outcome
from robot_vision.console.problems import in_words
from robot_vision.console.segment_schema import LiveSegments, LiveSegmentsState
from robot_vision.console.segments.live import SegmentLog
from robot_vision.ros.console.refusals import Refusals
from robot_vision.ros.middleware.bounded import OBJECTS_BYTES, bounded
from robot_vision.segment.live.requests import LiveRequest

_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


class RosSegmentation:
    """Asks the perception node of that name. Called from the console's threads."""

    def __init__(self, node: Node, perception: str, refusals: Refusals) -> None:
        self._log = SegmentLog()
        self._refusals = refusals
        self._requests = node.create_publisher(String, f"{perception}/segment/request", _QOS)
        self._topic = node.resolve_topic_name(f"{perception}/segment/json")
        take = bounded(
            String,
            self._on_answer,
            most_bytes=OBJECTS_BYTES,
            refuse=partial(refusals.add, self._topic),
        )
        self._answers = node.create_subscription(String, self._topic, take, _QOS, raw=True)

    def ask(self, request: LiveRequest) -> Outcome:
        problem = self._problem()
        if problem:
            return Outcome(done=False, message=problem)
        self._requests.publish(String(data=request.model_dump_json()))
        return Outcome(done=True, message=f"asked on {self._requests.topic_name}")

    def state(self) -> LiveSegmentsState:
        return self._log.state(self._problem())

    def _problem(self) -> str:
        if self._requests.get_subscription_count():
            return ""
        return (
            f"nobody listens to {self._requests.topic_name}: "
            "segment.model of the perception node names a model"
        )

    def _on_answer(self, message: String) -> None:
        try:
            self._log.add(LiveSegments.model_validate(json.loads(message.data)))
        except ValidationError as error:
            self._refusals.add(self._topic, in_words(error.errors()))
        except ValueError as error:
            self._refusals.add(self._topic, str(error))
