"""The console's commands over ROS 2: words as a topic, enable and reset as services.

A service's answer can be lost although the command was carried out: DDS may have matched the two
ends of the request but not yet those of the answer (github.com/ros2/rmw_fastrtps/issues/842).
Calling again could undo a command of another client, so that the policy's own status replaces an
answer that does not come.
"""

from collections.abc import Callable
from functools import partial
from threading import Lock
from time import monotonic, sleep
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from robot_vision.console.command_schema import MAX_INSTRUCTION, GivenInstruction, Outcome
from robot_vision.console.commander import InstructionLog
from robot_vision.console.state.admission import text_of
from robot_vision.console.state.snapshots import Snapshots
from robot_vision.core.results.policy_status import PolicyStatus
from robot_vision.ros.console.refusals import Refusals
from robot_vision.ros.middleware.bounded import WORDS_BYTES, bounded
from robot_vision.ros.middleware.rclpy_internals import is_up

# As the policy's subscription: words are sent once and latched for later subscribers.
INSTRUCTION_QOS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
_ANSWER_S = 5.0
# A status that arrives this long after a command was made after it: they come every 0.1 s.
_STATUS_AFTER_S = 1.0
_POLL_S = 0.001
_LOOK_S = 0.5


class RosCommander:
    """Commands the policy node `policy`, whose status is in `snapshots`, and sets the prompt of
    the node `perception`. Called from the console's threads.
    """

    def __init__(
        self,
        node: Node,
        policy: str,
        snapshots: Snapshots,
        refusals: Refusals,
        *,
        perception: str,
    ) -> None:
        self._refusals = refusals
        self._snapshots = snapshots
        self._context = node.context
        self._log = InstructionLog()
        self._lock = Lock()
        self._words = node.create_publisher(String, "instruction", INSTRUCTION_QOS)
        take = bounded(
            String,
            self._on_words,
            most_bytes=WORDS_BYTES,
            refuse=partial(refusals.add, self._words.topic_name),
        )
        self._heard = node.create_subscription(
            String, "instruction", take, INSTRUCTION_QOS, raw=True
        )
        self._prompts = node.create_publisher(String, f"{perception}/prompt", INSTRUCTION_QOS)
        group = MutuallyExclusiveCallbackGroup()
        self._enable = node.create_client(SetBool, f"{policy}/enable", callback_group=group)
        self._reset = node.create_client(Trigger, f"{policy}/reset", callback_group=group)
        self._service = node.resolve_service_name(f"{policy}/enable")
        self._looked: tuple[float, str] | None = None

    def problem(self) -> str:
        """Why nothing can be commanded now; checked at most twice a second."""
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
        return Outcome(done=True, message=f"published on {self._words.topic_name}")

    def prompt(self, text: str) -> Outcome:
        if not self._prompts.get_subscription_count():
            return Outcome(done=False, message=f"nobody listens to {self._prompts.topic_name}")
        self._prompts.publish(String(data=text))
        return Outcome(done=True, message=f"published on {self._prompts.topic_name}")

    def _on_words(self, message: String) -> None:
        if len(message.data) > MAX_INSTRUCTION:
            words = f"{len(message.data)} characters; at most {MAX_INSTRUCTION} are taken"
            self._refusals.add(self._words.topic_name, words)
            return
        self._log.add(text_of(message.data))

    def enable(self, enabled: bool) -> Outcome:
        request = SetBool.Request(data=enabled)

        def is_done(status: PolicyStatus) -> bool:
            return status.enabled == enabled and not status.needs_enable

        return self._ask(self._enable, request, is_done)

    def reset(self) -> Outcome:
        def forgot(status: PolicyStatus) -> bool:
            return not (status.enabled or status.instruction)

        return self._ask(self._reset, Trigger.Request(), forgot)

    def _ask(self, client: Any, request: Any, is_done: Callable[[PolicyStatus], bool]) -> Outcome:
        """The answer of a SetBool or Trigger service, or the outcome according to the status."""
        if not client.service_is_ready():
            return Outcome(done=False, message=f"nobody serves {client.srv_name}")
        asked_s = monotonic()
        future = client.call_async(request)
        while not future.done():
            if not is_up(self._context):
                return Outcome(done=False, message="the console is being shut down")
            lost = f"{client.srv_name} did not answer within"
            said = self._snapshots.policy
            if said and said.at_s > asked_s + _STATUS_AFTER_S and is_done(said.value):
                client.remove_pending_request(future)
                words = f"{lost} {_STATUS_AFTER_S:g} s; the policy's status says that it is done"
                return Outcome(done=True, message=words)
            if monotonic() > asked_s + _ANSWER_S:
                client.remove_pending_request(future)
                return Outcome(done=False, message=f"{lost} {_ANSWER_S:g} s")
            sleep(_POLL_S)
        answer = future.result()
        return Outcome(done=answer.success, message=answer.message)
