"""Base of our lifecycle nodes: transitions that report why they fail, and autostart."""

import gc
from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, ClockType  # pyright: ignore[reportPrivateImportUsage]
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from robot_vision.core.errors import RobotVisionError
from robot_vision.memory import give_memory_back
from robot_vision.ros.middleware.rclpy_internals import (
    free_state_machine,
    is_up,
    lifecycle_state,
)

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE
_START_EVERY_S = 0.05


class ServiceNode(LifecycleNode):
    """configure loads and warms up, activate works, deactivate stops, cleanup releases.

    `problem` is why the node is not in the state that it should be in. One that is `required`
    and cannot start has `ended`: its process must end.
    """

    def __init__(self, name: str, *, required: bool = True, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.required = required
        self.problem = ""
        self.ended = False
        self._doing = ""
        # Steady time, for timers that must run while simulated time stands still.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)

    def autostart(self) -> None:
        """Configure and activate as soon as the node is served and `_may_start`."""
        # In the callback group of the transitions, so that it is one of them.
        self._autostart = self.create_timer(_START_EVERY_S, self._start, clock=self._steady)

    @property
    def state(self) -> str:
        """The lifecycle state's name: unconfigured, inactive, active, finalized."""
        return lifecycle_state(self)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm up models, create publishers."""
        return self._transition(self._configure, state, super().on_configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and work."""
        return self._transition(self._activate, state, super().on_activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop working; what was loaded stays."""
        self._stop_work()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release models and publishers, and their memory at once."""
        self._release()
        gc.collect()
        give_memory_back()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As deactivate and cleanup."""
        self._release()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As cleanup: the node can be configured again."""
        self._release()
        return super().on_error(state)

    def destroy_node(self) -> None:
        """Release everything; wait a second at most for work in hand, as the process may end."""
        self._release(limit_s=1.0)
        super().destroy_node()
        free_state_machine(self)

    def _configure(self) -> None:
        raise NotImplementedError

    def _activate(self) -> None:
        raise NotImplementedError

    def _stop_work(self, limit_s: float | None = None) -> None:
        raise NotImplementedError

    def _release(self, limit_s: float | None = None) -> None:
        raise NotImplementedError

    def _may_start(self) -> bool:
        """Whether the node's prerequisites are available."""
        return True

    def _log_error(self, text: str) -> None:
        # Work fails while the context is being shut down: that is not an error to log.
        if is_up(self.context):
            self.get_logger().error(text)

    def _transition(
        self,
        work: Callable[[], None],
        state: LifecycleState,
        entities: Callable[[LifecycleState], TransitionCallbackReturn],
    ) -> TransitionCallbackReturn:
        """Do `work` and report its failure: rclpy would swallow the exception."""
        self.problem = ""
        try:
            work()
        except Exception as error:
            known = isinstance(error, RobotVisionError)
            self.problem = str(error) if known else f"{type(error).__name__}: {error}"
            self.get_logger().error(self.problem)
            self._release()
            return FAILURE
        finally:
            self._doing = ""
        return entities(state)

    def _start(self) -> None:
        """Start, or end the process of a required node that cannot: its launcher notices."""
        if not self._may_start():
            return
        self._autostart.cancel()
        started = self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS
        if not started and self.required:
            # Not a shutdown here: from Kilted on that would destroy the nodes in this callback.
            self.ended = True
            if self.executor is not None:
                self.executor.wake()
        elif not started:
            self.get_logger().warning(f"the process continues without {self.get_name()}")
