"""Everything that we use of rclpy beyond its documented interface; no other file may.

`test/ros/test_rclpy_internals.py` checks each of them on the installed rclpy, and names those
that a new release moved.
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
    calls `ok()` then is never joined.
    """
    handle = context.handle
    return handle is not None and handle.ok()


def end_context(context: Any) -> None:
    """Shut a context down as a signal does, leaving its nodes, which may be incomplete."""
    handle = context.handle
    with handle:
        handle.shutdown()


def lifecycle_state(node: LifecycleNode) -> str:
    """The state's name: unconfigured, inactive, active, finalized."""
    return node._state_machine.current_state[1]


def free_state_machine(node: LifecycleNode) -> None:
    """Free the state machine; rclpy leaves it and its memory to the garbage collector."""
    node._state_machine.destroy_when_not_in_use()


def given_parameters(node: Node) -> tuple[str, ...]:
    """Names of the parameters given to a node by files and the command line, declared or not."""
    return tuple(node._parameter_overrides)


class FewEntitiesExecutor(SingleThreadedExecutor):
    """Waits for subscriptions instead of whole nodes, without the context's lock."""

    def __init__(self, context: Any) -> None:
        super().__init__(context=cast(Context, _UnlockedContext(context)))
        self._entities = _Entities()

    def serve(self, subscriptions: Sequence[Subscription]) -> None:
        """Wait for these from now on, and for their events.

        Fast DDS wakes waits for events whenever there is a message to take.
        """
        events = [event for s in subscriptions for event in cast(list[Any], s.event_handlers)]
        self._entities = _Entities(subscriptions=subscriptions, waitables=events)

    def get_nodes(self) -> list[Any]:
        return [self._entities]


@dataclass(frozen=True, kw_only=True)
class _Entities:
    """What an executor needs of a node."""

    subscriptions: Sequence[Subscription] = ()
    waitables: Sequence[Any] = ()
    timers: Sequence[Any] = field(default=(), init=False)
    clients: Sequence[Any] = field(default=(), init=False)
    services: Sequence[Any] = field(default=(), init=False)
    guards: Sequence[Any] = field(default=(), init=False)


class _UnlockedContext:
    """What an executor needs of a context."""

    def __init__(self, context: Any) -> None:
        self._of = context

    @property
    def handle(self) -> Any:
        return self._of.handle

    def ok(self) -> bool:
        return is_up(self._of)

    def on_shutdown(self, callback: Callable[[], None]) -> None:
        self._of.on_shutdown(callback)
