"""Message changes by faults, shared by arm and camera."""

import copy
from collections.abc import Callable

from robot_vision.core.clock import NS_PER_S
from robot_vision.soak.fault import Change, Message

Edit = Callable[[Message], None]


def nothing(_: Message) -> list[Message]:
    """The topic is silent."""
    return []


def each(edit: Edit) -> Change:
    """Every message is changed in place."""

    def change(message: Message) -> list[Message]:
        edit(message)
        return [message]

    return change


def first(count: int, change: Change, then: Change) -> Change:
    """`count` messages go through one change, all later ones through another."""
    seen = 0

    def either(message: Message) -> list[Message]:
        nonlocal seen
        seen += 1
        return change(message) if seen <= count else then(message)

    return either


def as_it_is(message: Message) -> list[Message]:
    """No change."""
    return [message]


def swapped() -> Change:
    """Two messages at a time, the later one first."""
    kept: list[Message] = []

    def change(message: Message) -> list[Message]:
        kept.insert(0, message)
        if len(kept) < 2:
            return []
        pair = kept.copy()
        kept.clear()
        return pair

    return change


def frozen(field: str) -> Change:
    """The content of the first message for all, with advancing stamps."""
    kept: list[Message] = []

    def change(message: Message) -> list[Message]:
        if not kept:
            kept.append(copy.deepcopy(getattr(message, field)))
        setattr(message, field, copy.deepcopy(kept[0]))
        return [message]

    return change


def shifted(seconds: float) -> Change:
    """Stamps are shifted by this much; earlier if negative."""

    def edit(message: Message) -> None:
        stamp = message.header.stamp
        ns = stamp.sec * NS_PER_S + stamp.nanosec + round(seconds * NS_PER_S)
        stamp.sec, stamp.nanosec = divmod(ns, NS_PER_S)

    return each(edit)


def unstamped(message: Message) -> list[Message]:
    """Stamp 0, as from a driver that sets none."""
    message.header.stamp.sec = message.header.stamp.nanosec = 0
    return [message]
