"""Subscriptions with a thread of their own are served whatever the node's executor does."""

from collections.abc import Callable
from time import monotonic, sleep

import rclpy
from rclpy.context import Context
from std_msgs.msg import String

from robot_vision.ros.middleware.own_thread import OwnThread


def test_served_without_an_executor_and_after_a_failure() -> None:
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("listener", context=context)
    heard: list[str] = []

    def take(message: String) -> None:
        heard.append(message.data)
        if message.data == "first":
            raise ValueError("one callback that fails")

    group = OwnThread("own", node=node)
    subscription = node.create_subscription(String, "words", take, 5, callback_group=group)
    publisher = node.create_publisher(String, "words", 5)
    group.start([subscription])
    try:
        assert _within_60_s(lambda: publisher.get_subscription_count() > 0)
        for word in ("first", "second"):
            publisher.publish(String(data=word))
            assert _within_60_s(lambda word=word: heard[-1:] == [word])
    finally:
        group.stop()
    publisher.publish(String(data="too late"))
    sleep(0.1)
    node.destroy_node()
    context.try_shutdown()
    assert heard == ["first", "second"]


def test_it_ends_with_its_context() -> None:
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("listener", context=context)
    group = OwnThread("own", node=node)
    group.start([])
    context.try_shutdown()
    group.stop()
    node.destroy_node()


def _within_60_s(condition: Callable[[], bool]) -> bool:
    end_s = monotonic() + 60
    while not condition() and monotonic() < end_s:
        sleep(0.01)
    return condition()
