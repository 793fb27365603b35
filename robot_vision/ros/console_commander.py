"""The console's commands as ROS 2 knows them: words as a topic, enable and reset as services."""

from threading import Lock
from time import monotonic, sleep
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from robot_vision.console.commander import InstructionLog
from robot_vision.console.schema import GivenInstruction, Outcome

# As the policy's subscription: words are told once, and to those that come later as well.
INSTRUCTION_QOS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
# Reliable DDS sends what was lost again with its heartbeat, after 3 s.
_ANSWER_S = 5.0
_POLL_S = 0.001
_LOOK_S = 0.5


class RosCommander:
    """Commands the policy node named `policy`; called from the console's threads."""

    def __init__(self, node: Node, policy: str) -> None:
        self._log = InstructionLog()
        self._lock = Lock()
        self._words = node.create_publisher(String, "instruction", INSTRUCTION_QOS)
        self._heard = node.create_subscription(
            String, "instruction", self._on_words, INSTRUCTION_QOS
        )
        group = MutuallyExclusiveCallbackGroup()
        self._enable = node.create_client(SetBool, f"{policy}/enable", callback_group=group)
        self._reset = node.create_client(Trigger, f"{policy}/reset", callback_group=group)
        self._service = node.resolve_service_name(f"{policy}/enable")
        self._looked: tuple[float, str] | None = None

    def problem(self) -> str:
        """Why nothing can be commanded now; looked up at most twice a second."""
        with self._lock:
            if self._looked is None or monotonic() - self._looked[0] > _LOOK_S:
                there = self._enable.service_is_ready()
                words = f"there is no policy: nobody serves {self._service}"
                self._looked = (monotonic(), "" if there else words)
            return self._looked[1]

    def instructions(self) -> list[GivenInstruction]:
        return self._log.newest_first()

    def instruct(self, text: str) -> Outcome:
        # Our own subscription is one of the listeners.
        if self._words.get_subscription_count() <= 1:
            return Outcome(done=False, message=f"nobody listens to {self._words.topic_name}")
        self._words.publish(String(data=text))
        return Outcome(done=True, message=f"told on {self._words.topic_name}")

    def _on_words(self, message: String) -> None:
        self._log.add(message.data)

    def enable(self, enabled: bool) -> Outcome:
        return _ask(self._enable, SetBool.Request(data=enabled))

    def reset(self) -> Outcome:
        return _ask(self._reset, Trigger.Request())


def _ask(client: Any, request: Any) -> Outcome:
    """The answer of a service of type SetBool or Trigger, or why there is none."""
    if not client.service_is_ready():
        return Outcome(done=False, message=f"nobody serves {client.srv_name}")
    future = client.call_async(request)
    until_s = monotonic() + _ANSWER_S
    while not future.done():
        if monotonic() > until_s:
            client.remove_pending_request(future)
            words = f"{client.srv_name} did not answer within {_ANSWER_S:g} s"
            return Outcome(done=False, message=words)
        sleep(_POLL_S)
    answer = future.result()
    return Outcome(done=answer.success, message=answer.message)
