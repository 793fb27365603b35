"""Subscribes to publishers of any QoS: latched or not, reliable or best effort.

Instructions come from any publisher: `ros2 topic pub` is volatile, a driver latches its message.
No single subscription matches all of them and also receives earlier latched messages. So one more
is made for each QoS that a publisher offers, when it appears; made in advance, it would cause a
warning in the log of every publisher that does not offer it.
"""

from collections import deque
from collections.abc import Callable, Container
from functools import partial
from time import monotonic
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock, ClockType  # pyright: ignore[reportPrivateImportUsage]
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from robot_vision.ros.middleware.qos import WORDS_QOS, no_mismatch_logged
from robot_vision.ros.middleware.rclpy_internals import is_up

_LOOK_EVERY_S = 0.2
_TOGETHER_S = 2.0
_MOST_KEPT = 32

Kind = tuple[ReliabilityPolicy, DurabilityPolicy]
_LATCHED = (ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
_EVERY_KIND = tuple(
    (reliability, durability)
    for reliability in (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT)
    for durability in (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL)
)


class AnyQos:
    """Subscribes until `close`. `callback` gets each message once, serialized.

    It starts with a subscription of QoS `first` (None: without any) and adds those in `kinds`
    that publishers offer.
    """

    def __init__(
        self,
        node: Node,
        kind: Any,
        topic: str,
        callback: Callable[[bytes], None],
        *,
        group: CallbackGroup,
        first: QoSProfile | None = WORDS_QOS,
        kinds: Container[Kind] = _EVERY_KIND,
    ) -> None:
        self._node, self._type, self._topic, self._group = node, kind, topic, group
        self._callback, self._kinds = callback, kinds
        self._once = Once()
        self._subscriptions = {_kind(first): self._subscribe(first)} if first else {}
        self._timer = node.create_timer(
            _LOOK_EVERY_S,
            self._look,
            callback_group=group,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )

    def close(self) -> None:
        self._node.destroy_timer(self._timer)
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _look(self) -> None:
        """Add subscriptions for the QoS that new publishers offer."""
        if not is_up(self._node.context):
            return
        name = self._node.resolve_topic_name(self._topic)
        for publisher in self._node.get_publishers_info_by_topic(name):
            kind = _kind(publisher.qos_profile)
            if kind in self._subscriptions or kind not in self._kinds:
                continue
            qos = QoSProfile(depth=WORDS_QOS.depth, reliability=kind[0], durability=kind[1])
            self._subscriptions[kind] = self._subscribe(qos)

    def _subscribe(self, qos: QoSProfile) -> Any:
        return self._node.create_subscription(
            self._type,
            self._topic,
            partial(self._take, _kind(qos)),
            qos,
            raw=True,
            callback_group=self._group,
            # With several subscriptions, some are expected not to match.
            event_callbacks=no_mismatch_logged(),
        )

    def _take(self, kind: Kind, data: bytes) -> None:
        if self._once.is_new(data, of=kind, now_s=monotonic()):
            self._callback(data)


def where_latched(
    node: Node, kind: Any, topic: str, callback: Callable[[bytes], None], *, group: CallbackGroup
) -> AnyQos:
    """Receives earlier messages of latching publishers, beside another subscription to the topic.

    Without latching publishers there is no further subscription, so that no publisher logs a
    mismatch.
    """
    return AnyQos(node, kind, topic, callback, group=group, first=None, kinds=(_LATCHED,))


class Once:
    """Finds messages that several subscriptions to one topic both received.

    The same bytes from one subscription are a new message; from another one, soon after, a copy.
    """

    def __init__(self) -> None:
        self._taken: deque[tuple[float, tuple[int, int], set[Any]]] = deque(maxlen=_MOST_KEPT)

    def is_new(self, data: bytes, *, of: Any, now_s: float) -> bool:
        """Whether the message `data` of the subscription `of` was not received before."""
        mark = len(data), hash(data)  # the message itself may be of any size
        for taken_s, known, givers in self._taken:
            if known == mark and of not in givers and now_s - taken_s <= _TOGETHER_S:
                givers.add(of)
                return False
        self._taken.append((now_s, mark, {of}))
        return True


def _kind(qos: QoSProfile) -> Kind:
    return qos.reliability, qos.durability
