"""Why a topic is silent, in words that say what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.topic_endpoint_info import TopicEndpointInfo

from robot_vision.ros.middleware.qos import mismatch

_SUGGESTIONS = 5
_TRANSPORTS = ("/compressed", "/compressedDepth")
_WITH_TRANSPORT = ("rgb", "depth")


@dataclass(frozen=True, kw_only=True)
class ListenedTopic:
    """A subscription as it was made: its role, full name, type and QoS."""

    role: str
    name: str
    type_name: str
    qos: QoSProfile


class SilenceLog:
    """Logs each topic when it becomes silent, once until it is heard again."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._silent: frozenset[str] = frozenset()

    def update(self, silence: Mapping[str, str]) -> None:
        """`silence`: why topics are silent now, by role."""
        for role, why in silence.items():
            if role not in self._silent:
                self._node.get_logger().warning(f"{role} is silent: {why}")
        self._silent = frozenset(silence)


def why_quiet(node: Node, topic: ListenedTopic, *, quiet_s: float) -> str:
    """Why `topic` has been quiet for `quiet_s` seconds, according to the ROS graph."""
    publishers = node.get_publishers_info_by_topic(topic.name)
    if not publishers:
        return f"no publisher on {topic.name} [{topic.type_name}]{_alternatives(node, topic)}"
    others = sorted({p.topic_type for p in publishers if p.topic_type != topic.type_name})
    serving = [p for p in publishers if p.topic_type == topic.type_name]
    if not serving:
        return (
            f"{topic.name} is published as {', '.join(others)}; "
            f"{topic.role} expects {topic.type_name}"
        )
    if problem := qos_problem(node, topic):
        return problem
    names = ", ".join(map(_name, serving))
    return f"{names} publishes {topic.name}, but nothing came for {quiet_s:.1f} s"


def qos_problem(node: Node, topic: ListenedTopic) -> str:
    """Why QoS keeps every publisher of `topic` from us; empty if one matches or none exists."""
    publishers = node.get_publishers_info_by_topic(topic.name)
    serving = [p for p in publishers if p.topic_type == topic.type_name]
    mismatches = [
        f"{_name(p)} on {topic.name}: {text}"
        for p in serving
        if (text := mismatch(offered=p.qos_profile, requested=topic.qos))
    ]
    if not mismatches or len(mismatches) < len(serving):
        return ""
    if topic.qos.durability == DurabilityPolicy.TRANSIENT_LOCAL:
        hint = "publish it reliable and transient_local"
    else:
        hint = "set input.reliability: best_effort, or change the publisher"
    return f"QoS incompatible with {'; '.join(mismatches)} ({hint})"


def publisher_names(node: Node, topic: str) -> list[str]:
    """Full names of the nodes that publish a topic, one for each of their publishers."""
    return sorted(map(_name, node.get_publishers_info_by_topic(topic)))


def _name(publisher: TopicEndpointInfo) -> str:
    return f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"


def _alternatives(node: Node, topic: ListenedTopic) -> str:
    """Topics that may be meant: the same image in another transport, then those of that type."""
    own = node.get_fully_qualified_name() + "/"
    published = {
        name: types
        for name, types in node.get_topic_names_and_types()
        if not name.startswith(own) and node.count_publishers(name)
    }
    base = topic.name
    for suffix in _TRANSPORTS:
        base = base.removesuffix(suffix)
    transports = _TRANSPORTS if topic.role in _WITH_TRANSPORT else ()
    for name in (base, *(base + suffix for suffix in transports)):
        if name != topic.name and name in published:
            transport = "raw" if name == base else "compressed"
            return f"; {name} exists: set input.{topic.role}_transport: {transport}"
    same_type = [name for name, types in published.items() if topic.type_name in types]
    same_type.sort(key=lambda name: -SequenceMatcher(None, name, topic.name).ratio())
    if not same_type:
        return "; no topic of that type is published at all"
    return f"; topics of that type: {', '.join(same_type[:_SUGGESTIONS])}"
