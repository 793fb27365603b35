"""Receives everything that the service publishes and passes it to the checks."""

from collections import Counter, deque
from collections.abc import Callable

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile
from std_msgs.msg import String

from robot_vision.core.clock import seconds_between
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.parameters.soak_config import SoakConfig
from robot_vision.core.results.policy_status import POLICY_STATUS, PolicyStatus
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.tools.monitor import Monitor
from robot_vision.ros.tools.operator import Operator
from robot_vision.soak.checks.command_checks import CommandChecks, SentCommand, Vector
from robot_vision.soak.checks.frames import FrameCount
from robot_vision.soak.checks.holding import HeldStays
from robot_vision.soak.ledger import Ledger

_COMMANDS_QOS = QoSProfile(depth=100)
_STATUSES_KEPT = 400
_NODES = ("/perception", "/policy")


class Watch:
    """Uses the node of a `Monitor`, and its spinning. `commands` and `frames` are the checks."""

    def __init__(
        self,
        monitor: Monitor,
        operator: Operator,
        ledger: Ledger,
        policy: PolicyNodeConfig,
        config: SoakConfig,
        *,
        true_tool: Callable[[int], Vector | None],
    ) -> None:
        self._monitor, self._operator = monitor, operator
        self._ledger, self._config = ledger, config
        self.commands = CommandChecks(
            ledger, policy, config, base_frame=policy.expected.frame_id, true_tool=true_tool
        )
        self.frames = FrameCount(ledger, config)
        self.held = HeldStays(ledger, policy, config)
        self.statuses: deque[PolicyStatus] = deque(maxlen=_STATUSES_KEPT)
        self._observation_ns = 0
        self._diagnosed_ns: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        node = monitor.node
        node.create_subscription(
            PoseStamped, "policy/command/pose", self._on_command, _COMMANDS_QOS
        )
        node.create_subscription(String, "policy/status/json", self._on_status, 20)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 50)

    def now_ns(self) -> int:
        return self._monitor.node.get_clock().now().nanoseconds

    def enables(self) -> None:
        """The operator requests enabling now."""
        self.commands.enables(self.now_ns())
        self.held.moves()

    def enabled(self) -> None:
        """The policy node has answered."""
        self.commands.enabled(self.now_ns())

    def take_ages_ms(self) -> tuple[list[float], list[float]]:
        """Ages of results and of commands since the last call, which are then forgotten."""
        heard, seen = self._monitor.heard, self._operator.seen
        of_results = [result["age_ms"] for result in heard.results]
        of_commands = [age_s * 1e3 for age_s in seen.age_s]
        for kept in (heard.results, heard.received_age_s, seen.age_s):
            kept.clear()
        return of_results, of_commands

    def check_diagnostics(self, *, since_ns: int) -> None:
        """Check that both nodes reported lately; silence counts from `since_ns` at most."""
        now_ns = self.now_ns()
        for name in _NODES:
            last_ns = max(self._diagnosed_ns.get(name, 0), since_ns)
            quiet_s = seconds_between(last_ns, now_ns)
            words = f"{name} has been silent on /diagnostics for {quiet_s:.1f} s"
            self._ledger.check("diagnostics", quiet_s <= self._config.diagnostics_s, words)

    def _on_command(self, message: PoseStamped) -> None:
        p, q = message.pose.position, message.pose.orientation
        command = SentCommand(
            stamp_ns=ns_from_stamp(message.header.stamp),
            frame_id=message.header.frame_id,
            position_m=np.array([p.x, p.y, p.z]),
            quaternion=np.array([q.x, q.y, q.z, q.w]),
        )
        self.counts["commands"] += 1
        self.commands.add(command)
        self.held.add(command)

    def _on_status(self, message: String) -> None:
        status, _ = POLICY_STATUS.read(message.data)  # the operator logs unknown fields
        self.statuses.append(status)
        observation_ns = self._operator.seen.observation_ns
        followed, self._observation_ns = (
            observation_ns != self._observation_ns,
            observation_ns,
        )
        self.held.said(status, followed=followed)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        stamp_ns = ns_from_stamp(message.header.stamp)
        for status in message.status:
            if status.hardware_id not in _NODES:
                continue
            self._diagnosed_ns[status.hardware_id] = self.now_ns()
            values = {item.key: item.value for item in status.values}
            if status.name == "perception: inputs":
                self.frames.inputs(stamp_ns, values)
            elif status.name == "perception: outputs":
                self.frames.outputs(values)
