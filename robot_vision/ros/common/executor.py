"""Runs callbacks of the camera at once in the spinning thread, all others in a thread pool."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.executors import (
    ExternalShutdownException,
    ShutdownException,
    SingleThreadedExecutor,
    TimeoutException,
)
from rclpy.logging import get_logger
from rclpy.task import Task

from robot_vision.ros.middleware.rclpy_internals import InvalidHandle, RCLError, is_up

# For two nodes: transitions and parameters of each, and reports beside them.
_SLOW_THREADS = 4


class CameraGroup(MutuallyExclusiveCallbackGroup):
    """Callbacks of images: they only store, and must not wait for other callbacks."""


class UrgentGroup(MutuallyExclusiveCallbackGroup):
    """Quick callbacks that must not wait for others: the arm's state, stop."""


class CameraFirstExecutor(SingleThreadedExecutor):
    """Loading a model or reporting never keeps an image waiting.

    rclpy's MultiThreadedExecutor would work too, but hands every image from thread to thread.
    `spin` raises `ConditionReachedException` once `until()` holds: wake it when that changes.
    """

    def __init__(self, *, until: Callable[[], bool] = lambda: False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._until = until
        self._slow = ThreadPoolExecutor(_SLOW_THREADS, thread_name_prefix="slow")

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Wait for one callback and run it, or have it run."""
        try:
            task, entity, _ = self.wait_for_ready_callbacks(
                timeout_sec=timeout_sec, condition=self._until
            )
        except (ExternalShutdownException, ShutdownException, TimeoutException):
            return
        except InvalidHandle:
            # Another thread destroyed a subscription as the wait began: the next wait lacks it.
            return
        except RCLError:
            # The wait fails if the context is shut down while it begins.
            if is_up(self.context):
                raise
            return
        if entity is not None and isinstance(entity.callback_group, _AT_ONCE):
            self._run(task)
        else:
            self._slow.submit(self._run, task)

    def _run(self, task: Task) -> None:
        task()
        error = task.exception()
        # Calls fail while the context is being shut down.
        if error is not None and is_up(self.context):
            get_logger("executor").error(f"a callback failed: {type(error).__name__}: {error}")


_AT_ONCE = (CameraGroup, UrgentGroup)
