"""The executor goes on while other threads make and destroy what it waits for."""

import sys
import threading
from collections.abc import Iterator
from time import monotonic

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from std_msgs.msg import Empty

from robot_vision.ros.common.executor import CameraFirstExecutor, UrgentGroup

pytestmark = pytest.mark.ros


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns very often meet in the worst places."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual_s)


@pytest.mark.usefixtures("hasty_threads")
def test_subscriptions_come_and_go_in_other_threads() -> None:
    """As the console's do when nobody looks any more; rclpy's wait raises `InvalidHandle`."""
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("comes_and_goes", context=context)
    served: list[float] = []
    node.create_timer(0.001, lambda: served.append(monotonic()), callback_group=UrgentGroup())
    executor = CameraFirstExecutor(context=context)
    executor.add_node(node)
    ended: list[BaseException] = []

    def spin() -> None:
        try:
            executor.spin()
        except ExternalShutdownException:
            pass
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=spin)
    thread.start()
    until_s = monotonic() + 3
    while monotonic() < until_s and thread.is_alive():
        kept = [node.create_subscription(Empty, f"topic{k}", print, 1) for k in range(4)]
        for subscription in kept:
            node.destroy_subscription(subscription)
    last_s = monotonic()
    assert not ended
    while thread.is_alive() and not (served and served[-1] > last_s):
        assert monotonic() < last_s + 60
    context.try_shutdown()
    thread.join()
    node.destroy_node()
    executor.shutdown(timeout_sec=0)
    assert not ended
