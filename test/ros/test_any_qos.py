"""Words are heard from whoever speaks, latched or not, and once."""

from collections.abc import Iterator
from time import monotonic, sleep

import pytest
import rclpy
from hypothesis import given
from hypothesis import strategies as st
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from std_msgs.msg import String

from robot_vision.ros.middleware.any_qos import AnyQos, Once

pytestmark = pytest.mark.ros

QUALITIES = [(r, d) for r in (1, 2) for d in (1, 2)]


class Listening:
    def __init__(self) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.listener = Node("listener", context=self.context)
        self.speaker = Node("speaker", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        for node in (self.listener, self.speaker):
            self.executor.add_node(node)
        self.heard: list[str] = []

    def listen(self) -> AnyQos:
        return AnyQos(
            self.listener,
            String,
            "words",
            lambda data: self.heard.append(deserialize_message(data, String).data),
            group=MutuallyExclusiveCallbackGroup(),
        )

    def publisher(self, reliability: int, durability: int):
        qos = QoSProfile(
            depth=1,
            reliability=ReliabilityPolicy(reliability),
            durability=DurabilityPolicy(durability),
        )
        return self.speaker.create_publisher(String, "words", qos)

    def spin_until(self, done, limit_s: float = 60.0) -> None:
        until_s = monotonic() + limit_s
        while not done():
            assert monotonic() < until_s, self.heard
            self.executor.spin_once(timeout_sec=0.05)

    def spin_for(self, seconds: float) -> None:
        until_s = monotonic() + seconds
        while monotonic() < until_s:
            self.executor.spin_once(timeout_sec=0.05)


@pytest.fixture
def listening() -> Iterator[Listening]:
    made = Listening()
    yield made
    made.executor.shutdown()
    made.speaker.destroy_node()
    made.listener.destroy_node()
    made.context.try_shutdown()


@pytest.mark.parametrize(("reliability", "durability"), QUALITIES)
def test_every_publisher_is_heard_once(
    listening: Listening, reliability: int, durability: int
) -> None:
    words = listening.listen()
    publisher = listening.publisher(reliability, durability)
    listening.spin_until(lambda: publisher.get_subscription_count() > 0)
    listening.spin_for(0.5)
    for text in ("lift the cup", "stop", "lift the cup"):
        publisher.publish(String(data=text))
        listening.spin_until(lambda text=text: listening.heard[-1:] == [text])
    listening.spin_for(0.3)
    assert listening.heard == ["lift the cup", "stop", "lift the cup"]
    words.close()


def test_what_was_latched_before_is_heard_and_what_is_said_later_wins(
    listening: Listening,
) -> None:
    latched = listening.publisher(1, 1)
    latched.publish(String(data="said before"))
    words = listening.listen()
    listening.spin_until(lambda: listening.heard == ["said before"])
    plain = listening.publisher(1, 2)
    listening.spin_until(lambda: plain.get_subscription_count() > 0)
    sleep(0.1)
    plain.publish(String(data="said later"))
    listening.spin_until(lambda: listening.heard[-1] == "said later")
    listening.spin_for(0.5)
    assert listening.heard == ["said before", "said later"]
    words.close()


@given(
    said=st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=12),
    subscriptions=st.integers(1, 3),
)
def test_the_first_to_give_a_message_is_taken_in_order(
    said: list[bytes], subscriptions: int
) -> None:
    once = Once()
    taken = [
        data
        for second, data in enumerate(said)
        for of in range(subscriptions)
        if once.is_new(data, of=of, now_s=second / 10)
    ]
    assert taken == said
