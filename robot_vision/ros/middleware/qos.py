"""Quality of service of our topics, and why two ends of a topic do not match."""

from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

from robot_vision.core.parameters.config import InputConfig
from robot_vision.topics.quality import Quality

# Words are published once and latched for later subscribers.
LATCHED_QOS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

# The first subscription of `any_qos`.
WORDS_QOS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)

# Matches every publisher: reported for subscriptions of `any_qos`.
ANY_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


def no_mismatch_logged() -> SubscriptionEventCallbacks:
    """For one of several subscriptions to a topic: rclpy does not log a mismatch."""
    return SubscriptionEventCallbacks(incompatible_qos=lambda _: None, use_default_callbacks=False)


def profile_of(quality: Quality) -> QoSProfile:
    """The profile of a topic in the table."""
    reliability = ReliabilityPolicy.RELIABLE if quality.reliable else ReliabilityPolicy.BEST_EFFORT
    durability = DurabilityPolicy.TRANSIENT_LOCAL if quality.latched else DurabilityPolicy.VOLATILE
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=quality.kept,
        reliability=reliability,
        durability=durability,
    )


def input_qos(config: InputConfig) -> QoSProfile:
    """QoS of the camera's topics. Best effort also receives from reliable publishers."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=config.queue_depth,
        reliability=ReliabilityPolicy[config.reliability.upper()],
    )


def describe(qos: QoSProfile) -> str:
    """`best_effort, volatile`: the policies that decide whether two ends meet."""
    return f"{qos.reliability.name.lower()}, {qos.durability.name.lower()}"


def mismatch(*, offered: QoSProfile, requested: QoSProfile) -> str:
    """Why a publisher does not match a subscription, naming both sides; empty if it does."""
    compatibility, _ = qos_check_compatible(offered, requested)
    if compatibility != QoSCompatibility.ERROR:
        return ""
    return f"it offers {describe(offered)}; we request {describe(requested)}"
