"""Callbacks of the camera at once in the spinning thread, all others in threads of their own."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rclpy._rclpy_pybind11 import InvalidHandle, RCLError
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.executors import (
    ExternalShutdownException,
    ShutdownException,
    SingleThreadedExecutor,
    TimeoutException,
)
from rclpy.logging import get_logger
from rclpy.task import Task

# For two nodes: transitions and parameters of each, and reports beside them.
_SLOW_THREADS = 4


class CameraGroup(MutuallyExclusiveCallbackGroup):
    """Callbacks of images: they only store, and must not wait for others."""


class UrgentGroup(MutuallyExclusiveCallbackGroup):
    """Callbacks that take no time and must not wait for others: where the arm is, stop."""


class CameraFirstExecutor(SingleThreadedExecutor):
    """Loading a model or reporting never keeps an image waiting.

    rclpy's MultiThreadedExecutor would do as well, but hands every image from thread to thread.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._slow = ThreadPoolExecutor(_SLOW_THREADS, thread_name_prefix="slow")

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Wait for one callback and run it, or have it run."""
        try:
            task, entity, _ = self.wait_for_ready_callbacks(timeout_sec=timeout_sec)
        except (ExternalShutdownException, ShutdownException, TimeoutException):
            return
        except InvalidHandle:
            # Another thread destroyed a subscription as the wait began: the next does without it.
            return
        except RCLError:
            # A context that is shut down while a wait begins makes the wait fail.
            if self._context.ok():
                raise
            return
        if entity is not None and isinstance(entity.callback_group, _AT_ONCE):
            self._run(task)
        else:
            self._slow.submit(self._run, task)

    def _run(self, task: Task) -> None:
        task()
        error = task.exception()
        # When the context is shut down, whatever is called at that moment fails.
        if error is not None and self._context.ok():
            get_logger("executor").error(f"a callback failed: {type(error).__name__}: {error}")


_AT_ONCE = (CameraGroup, UrgentGroup)
