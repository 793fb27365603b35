"""Operates a simulated robot as a person would: for the demonstration, benchmarks and tests."""

import json
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from rclpy.qos import QoSProfile
from std_msgs.msg import Header, String
from std_srvs.srv import SetBool, Trigger

from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.results.policy_status import POLICY_STATUS, PolicyStatus
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.middleware.qos import LATCHED_QOS
from robot_vision.ros.tools.monitor import Monitor
from robot_vision.simulation.task_status import TASK_STATUS, TaskStatus

_QOS = QoSProfile(depth=20)
_ANSWER_S = 30.0
_BEFORE_THE_FIRST = PolicyStatus(enabled=False, holding=True)
_AGAIN_S = 0.5
# Images of the previous scene arrive for so long.
_ON_THE_WAY_S = 0.3


class OperatorError(RobotVisionError, RuntimeError):
    """A node did not answer."""


@dataclass
class Seen:
    """What was received so far. `status` is the latest of `statuses` messages.

    `age_s` is the time from a camera's stamp to the first command made from it.
    """

    task: TaskStatus | None = None
    status: PolicyStatus = _BEFORE_THE_FIRST
    statuses: int = 0
    age_s: list[float] = field(default_factory=list)
    observation_ns: int = 0


class Operator:
    """Uses the node of a `Monitor`, and its spinning.

    A new scene moves the arm; with `enables_again` the policy is enabled again when it needs it.
    """

    def __init__(self, monitor: Monitor, *, enables_again: bool = True) -> None:
        self.seen = Seen()
        self._enables_again = enables_again
        self._is_on = False
        self._again_s = 0.0
        self._monitor = monitor
        node = self._node = monitor.node
        self._instruction = node.create_publisher(String, "instruction", LATCHED_QOS)
        self._enable = node.create_client(SetBool, "policy/enable")
        self._reset = node.create_client(Trigger, "policy/reset")
        self._new_scene = node.create_client(Trigger, "robot_sim/reset")
        self._new_tracks = node.create_client(Trigger, "perception/reset")
        node.create_subscription(String, "robot_sim/task", self._on_task, LATCHED_QOS)
        node.create_subscription(String, "policy/status/json", self._on_status, _QOS)
        node.create_subscription(Header, "policy/command/observation", self._on_observation, _QOS)

    @property
    def task(self) -> TaskStatus:
        """The present task. Raises `OperatorError` before the simulated robot has reported one."""
        if self.seen.task is None:
            raise OperatorError("robot_sim has not reported its task yet")
        return self.seen.task

    def instruct(self, text: str) -> None:
        self._instruction.publish(String(data=text))

    def enable(self, on: bool) -> None:
        """Let the arm move, or not. Raises `OperatorError` unless the policy node agrees."""
        self._is_on = on and self._enables_again
        self._ask(self._enable, SetBool.Request(data=on))

    def new_scene(self) -> dict[str, Any]:
        """Another table and task; policy and perception forget the previous ones."""
        self._is_on = False
        self._ask(self._reset, Trigger.Request())
        scene = self.other_table()
        self._monitor.spin(_ON_THE_WAY_S)
        self._ask(self._new_tracks, Trigger.Request())
        return scene

    def other_table(self) -> dict[str, Any]:
        """Another table and task, whatever the policy does: the arm is elsewhere at once."""
        answer = self._ask(self._new_scene, Trigger.Request())
        scene = json.loads(answer.message)

        def is_there() -> bool:
            return self.seen.task is not None and self.seen.task.seed == scene["seed"]

        self._wait(is_there, "the new scene")
        return scene

    def _ask(self, client: Any, request: Any) -> Any:
        self._wait(client.service_is_ready, client.srv_name)
        future = client.call_async(request)
        self._wait(future.done, client.srv_name)
        answer = future.result()
        if not answer.success:
            raise OperatorError(f"{client.srv_name}: {answer.message}")
        return answer

    def _wait(self, condition: Any, what: str) -> None:
        begin_s = monotonic()
        if not self._monitor.spin_until(condition, timeout_s=_ANSWER_S):
            raise OperatorError(f"no answer from {what} within {monotonic() - begin_s:.0f} s")

    def _on_task(self, message: String) -> None:
        self.seen.task, _ = TASK_STATUS.read(message.data)

    def _on_status(self, message: String) -> None:
        status, note = POLICY_STATUS.read(message.data)
        if note:
            self._node.get_logger().info(note, once=True)
        self.seen.status = status
        self.seen.statuses += 1
        again_s = monotonic() - self._again_s
        if self._is_on and status.needs_enable and again_s > _AGAIN_S:
            self._again_s = monotonic()
            self._enable.call_async(SetBool.Request(data=True))

    def _on_observation(self, message: Header) -> None:
        stamp_ns = ns_from_stamp(message.stamp)
        if stamp_ns > self.seen.observation_ns:
            self.seen.observation_ns = stamp_ns
            now_ns = self._node.get_clock().now().nanoseconds
            self.seen.age_s.append(seconds_between(stamp_ns, now_ns))
