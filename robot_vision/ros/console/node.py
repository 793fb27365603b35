"""The console as a ROS 2 node: in a perception node's process, or beside a running graph."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from time import monotonic
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType  # pyright: ignore[reportPrivateImportUsage]
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import String

from robot_vision.console.schema import Level
from robot_vision.console.serving.server import ConsoleServer
from robot_vision.console.state.admission import UnusableError, admit_diagnosis, admit_status
from robot_vision.console.state.policy_moment import LatestMoment, no_policy
from robot_vision.console.state.snapshots import Attention, Snapshots
from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.console_config import ConsoleNodeConfig
from robot_vision.core.types import Perception
from robot_vision.ros.common.params import declare
from robot_vision.ros.console.commander import RosCommander
from robot_vision.ros.console.images import weights_of
from robot_vision.ros.console.refusals import Refusals
from robot_vision.ros.console.segments import RosSegmentation
from robot_vision.ros.console.topics import ConsoleTopics
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.middleware.bounded import DIAGNOSTICS_BYTES, STATE_BYTES, bounded
from robot_vision.ros.perception.node import PerceptionNode

_WISHES_S = 0.2
_ATTENTION_KEPT_S = 3.0
# As many as the snapshots keep.
_MOST_STATUSES = 100
_QOS = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
_LEVELS: dict[bytes, Level] = {
    DiagnosticStatus.OK: "ok",
    DiagnosticStatus.WARN: "warn",
    DiagnosticStatus.ERROR: "error",
    DiagnosticStatus.STALE: "stale",
}


class ConsoleNode(Node):
    """Serves the web page from construction on. Raises `ConfigError` if it cannot listen.

    With `perception`, results come by reference from this process instead of image topics.
    `moment` returns the latest decision of a policy in this process.
    """

    def __init__(
        self,
        *,
        perception: PerceptionNode | None = None,
        moment: LatestMoment = no_policy,
        **kwargs: Any,
    ) -> None:
        super().__init__("console", **kwargs)
        self.config = config = declare(self, ConsoleNodeConfig())
        self.problem = ""
        self.ended = False
        self._perception = perception
        name = self.resolve_service_name(config.perception)
        self.snapshots = Snapshots(perception=name)
        self._refusals = Refusals(self, self.snapshots)
        self._topics: ConsoleTopics | None = None
        if perception is not None:
            perception.add_listener(self._on_perception)
        else:
            self._topics = ConsoleTopics(self, self.snapshots, config, self._refusals)
        self._subscribe(
            "/diagnostics", DiagnosticArray, self._on_diagnostics, DIAGNOSTICS_BYTES, 10
        )
        policy = config.policy_node
        self._status_topic = self.resolve_topic_name(f"{policy}/status/json")
        self._subscribe(self._status_topic, String, self._on_status, STATE_BYTES, _QOS)
        self._attention: Any = None
        self._attention_wanted_s = -np.inf
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_WISHES_S, self._follow_wishes, clock=steady)
        if perception is not None and not config.segment_model:
            ours = {"segment_model": perception.config.segment.model}
            config = config.model_copy(update=ours)
        service = perception.config if perception else ServiceConfig(model=config.model)
        commander = RosCommander(
            self, policy, self.snapshots, self._refusals, perception=config.perception
        )
        live = RosSegmentation(self, config.perception, self._refusals)
        self.server = ConsoleServer(
            self.snapshots,
            config,
            commander=commander,
            service=service,
            live=live,
            moment=moment,
        )
        self.server.start()
        self._announce()

    @property
    def busy(self) -> bool:
        """Whether a client's image is being analysed; that cannot be interrupted."""
        return self.server.busy

    def destroy_node(self) -> None:
        """Stop serving first, so that no request reaches a destroyed node."""
        self.server.close()
        if self._perception is not None:
            self._perception.remove_listener(self._on_perception)
        super().destroy_node()

    def _subscribe(
        self,
        topic: str,
        kind: Any,
        callback: Callable[[Any], None],
        most_bytes: int,
        qos: QoSProfile | int,
    ) -> None:
        refuse = partial(self._refusals.add, topic)
        take = bounded(kind, callback, most_bytes=most_bytes, refuse=refuse)
        self.create_subscription(kind, topic, take, qos, raw=True)

    def _announce(self) -> None:
        self.get_logger().info(f"console at {self.server.url}")
        if self.server.token and not (self.config.token or self.config.token_file):
            # Not through the logger: its files outlive the token.
            print(f"console token: {self.server.token}", flush=True)

    def _on_perception(self, perception: Perception, stage_s: Mapping[str, float]) -> None:
        """In the pipeline's thread: store and return."""
        assert self._perception is not None
        target_frame = self._perception.config.target_frame
        self.snapshots.perceived(perception, stage_s, target_frame=target_frame)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        too_many = max(len(message.status) - _MOST_STATUSES, 0)
        words = f"more than {_MOST_STATUSES} statuses in one message"
        self._refusals.add("/diagnostics", words, too_many)
        for status in islice(message.status, _MOST_STATUSES):
            diagnosis, unusable = admit_diagnosis(
                _LEVELS.get(status.level, "error"),
                status.name,
                status.message,
                ((item.key, item.value) for item in status.values),
            )
            words = f"values of {diagnosis.name} that are not numbers, or too many"
            self._refusals.add("/diagnostics", words, unusable)
            self.snapshots.diagnosed([diagnosis])

    def _on_status(self, message: String) -> None:
        try:
            status, unusable, note = admit_status(message.data)
        except UnusableError as error:
            self._refusals.add(self._status_topic, str(error))
            return
        self._refusals.add(self._status_topic, "fields with unusable values", unusable)
        if note:
            self.get_logger().warning(note, once=True)
        self.snapshots.policy_said(status)

    def _on_attention(self, message: Image) -> None:
        stamp_ns = ns_from_stamp(message.header.stamp)
        try:
            weight = weights_of(message)
        except EncodingError as error:
            self._refusals.add(f"{self.config.policy_node}/attention", str(error))
            return
        age_s = seconds_between(stamp_ns, self.get_clock().now().nanoseconds)
        self.snapshots.saw_attention(Attention(stamp_ns=stamp_ns, weight=weight), age_s=age_s)

    def _follow_wishes(self) -> None:
        """Subscribe to attention while it is viewed: the policy makes it for subscribers only."""
        if self._topics is not None:
            self._topics.follow_wishes()
        if "attention" in self.snapshots.wanted:
            self._attention_wanted_s = monotonic()
        wanted = monotonic() - self._attention_wanted_s < _ATTENTION_KEPT_S
        if wanted and self._attention is None:
            name = f"{self.config.policy_node}/attention"
            self._attention = self.create_subscription(Image, name, self._on_attention, _QOS)
        elif not wanted and self._attention is not None:
            self.destroy_subscription(self._attention)
            self._attention = None
