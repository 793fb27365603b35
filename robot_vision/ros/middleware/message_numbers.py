"""Counts missed messages by their publishers' sequence numbers.

Fast DDS reports messages that it loses in transit, but not those that newer ones replace in a
short history while a process is suspended.
"""

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.subscription import Subscription

from robot_vision.ros.middleware.bounded import bounded

# Humble's rclpy calls with the message alone.
WITH_INFO = hasattr(Subscription, "CallbackType")

# Two publishers on one topic have separate numbers: a gap means nothing for so long.
_MESSAGES_UNSURE = 100
# A larger gap is also one between two publishers.
_MOST_MISSED = 1000


class MessageNumbers:
    """Follows the numbers of one subscription."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._unsure = 0

    @property
    def are_sure(self) -> bool:
        """Whether gaps are counted now, so that losses need not be reported elsewhere."""
        return self._last is not None and self._unsure == 0

    def missed(self, info: Mapping[str, Any]) -> int:
        """Messages published between the previous one and this one that did not arrive."""
        number = info.get("publication_sequence_number")
        if number is None:
            return 0
        last, self._last = self._last, number
        if last is None:
            return 0
        gap = number - last - 1
        if not 0 <= gap <= _MOST_MISSED:  # the publisher restarted, or there are two
            self._unsure = _MESSAGES_UNSURE
        self._unsure = max(self._unsure - 1, 0)
        return 0 if self._unsure else gap


def with_info(
    callback: Callable[[Any, Mapping[str, Any]], None], *, has_info: bool = WITH_INFO
) -> Callable[..., None]:
    """What to subscribe with, so that `callback` gets a message and its info: empty on Humble."""
    if has_info:
        return callback

    def take(message: Any) -> None:
        callback(message, {})

    return take


def bounded_with_number(
    kind: Any,
    callback: Callable[[Any, int | None], None],
    *,
    most_bytes: int,
    refuse: Callable[[str], object],
) -> Callable[..., None]:
    """As `bounded`; the callback also gets the publisher's number of the message, if known."""

    def take(data: bytes, info: Mapping[str, Any]) -> None:
        number = info.get("publication_sequence_number")
        bounded(kind, lambda m: callback(m, number), most_bytes=most_bytes, refuse=refuse)(data)

    return with_info(take)
