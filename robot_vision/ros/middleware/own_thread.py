"""Subscriptions with a thread of their own, which waits for nothing else.

For every message an executor prepares and checks everything in its nodes (services, timers,
publisher events): 0.4 to 0.9 ms of Python between an image and its depth; this takes a tenth.
"""

from collections.abc import Sequence
from threading import Event, Thread, current_thread
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.executors import (
    ConditionReachedException,
    ExternalShutdownException,
    ShutdownException,
)
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.subscription import Subscription

from robot_vision.ros.middleware.rclpy_internals import FewEntitiesExecutor, RCLError, is_up


class OwnThread(MutuallyExclusiveCallbackGroup):
    """The callbacks of this group run in its thread, between `start` and `stop`.

    The node's executors ignore them. A callback that fails is logged.
    """

    def __init__(self, name: str, *, node: Node) -> None:
        super().__init__()
        self._context = node.context
        self._executor = FewEntitiesExecutor(node.context)
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self, subscriptions: Sequence[Subscription]) -> None:
        """Serve `subscriptions`, all of this group, and their events."""
        self._executor.serve(subscriptions)
        self._thread.start()

    def stop(self) -> None:
        """Return after the last callback; the subscriptions may then be destroyed."""
        self._stopping.set()
        self._executor.wake()
        self._thread.join()
        self._executor.shutdown(timeout_sec=0)

    def can_execute(self, entity: Any) -> bool:
        return super().can_execute(entity) and current_thread() is self._thread

    def _run(self) -> None:
        try:
            while True:
                task, _, _ = self._executor.wait_for_ready_callbacks(
                    condition=self._stopping.is_set
                )
                task()
                error = task.exception()
                if error is not None:
                    get_logger(self._thread.name).error(
                        f"a callback failed: {type(error).__name__}: {error}"
                    )
        except (ConditionReachedException, ExternalShutdownException, ShutdownException):
            return
        except RCLError:
            # The wait fails if the context is shut down while it begins.
            if is_up(self._context):
                raise
