"""All that we use of rclpy beyond its documented interface; no other file may.

`test/ros/test_rclpy_internals.py` checks each on the rclpy that is installed, and names what a
new release moved.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from rclpy._rclpy_pybind11 import InvalidHandle, RCLError
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.subscription import Subscription

__all__ = [
    "FewEntitiesExecutor",
    "InvalidHandle",
    "RCLError",
    "end_context",
    "free_state_machine",
    "given_parameters",
    "is_up",
    "lifecycle_state",
]


def is_up(context: Any) -> bool:
    """As `ok()` of an rclpy context, without its lock.

    From Kilted on `Context.try_shutdown()` destroys nodes while it holds that lock: a thread that
    asks `ok()` there is never joined.
    """
    handle = context.handle
    return handle is not None and handle.ok()


def end_context(context: Any) -> None:
    """Shut a context down as a signal does: its nodes are left, which may be half made."""
    handle = context.handle
    with handle:
        handle.shutdown()


def lifecycle_state(node: LifecycleNode) -> str:
    """The state's name: unconfigured, inactive, active, finalized."""
    return node._state_machine.current_state[1]


def free_state_machine(node: LifecycleNode) -> None:
    """rclpy leaves this to the garbage collector; it keeps the middleware's memory till then."""
    node._state_machine.destroy_when_not_in_use()


def given_parameters(node: Node) -> tuple[str, ...]:
    """Names of the parameters that files and the command line give a node, declared or not."""
    return tuple(node._parameter_overrides)


class FewEntitiesExecutor(SingleThreadedExecutor):
    """Waits for some subscriptions where others wait for nodes, and takes no lock of a context."""

    def __init__(self, context: Any) -> None:
        super().__init__(context=cast(Context, _UnlockedContext(context)))
        self._entities = _Entities()

    def serve(self, subscriptions: Sequence[Subscription]) -> None:
        """Wait for these from now on, and for their events.

        Fast DDS wakes whoever waits for events whenever there is a message to take.
        """
        events = [event for s in subscriptions for event in cast(list[Any], s.event_handlers)]
        self._entities = _Entities(subscriptions=subscriptions, waitables=events)

    def get_nodes(self) -> list[Any]:
        return [self._entities]


@dataclass(frozen=True, kw_only=True)
class _Entities:
    """What an executor asks a node for."""

    subscriptions: Sequence[Subscription] = ()
    waitables: Sequence[Any] = ()
    timers: Sequence[Any] = field(default=(), init=False)
    clients: Sequence[Any] = field(default=(), init=False)
    services: Sequence[Any] = field(default=(), init=False)
    guards: Sequence[Any] = field(default=(), init=False)


class _UnlockedContext:
    """What an executor asks a context for."""

    def __init__(self, context: Any) -> None:
        self._of = context

    @property
    def handle(self) -> Any:
        return self._of.handle

    def ok(self) -> bool:
        return is_up(self._of)

    def on_shutdown(self, callback: Callable[[], None]) -> None:
        self._of.on_shutdown(callback)
