"""How many messages were missed, by the numbers that publishers give theirs.

Fast DDS reports what it loses on the way, but not what a newer message replaces in a short history
while a process stands still.
"""

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.subscription import Subscription

from robot_vision.ros.middleware.bounded import bounded

# Humble's rclpy calls with the message alone.
WITH_INFO = hasattr(Subscription, "CallbackType")

# Two publishers on one topic have numbers of their own: for so long a gap says nothing.
_MESSAGES_UNSURE = 100
# A gap that is larger is one between two publishers, too.
_MOST_MISSED = 1000


class MessageNumbers:
    """Follows the numbers of one subscription."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._unsure = 0

    @property
    def are_sure(self) -> bool:
        """Whether a gap is counted now: only then need nobody else report what is lost."""
        return self._last is not None and self._unsure == 0

    def missed(self, info: Mapping[str, Any]) -> int:
        """Messages that were published between the one before and this one, and did not come."""
        number = info.get("publication_sequence_number")
        if number is None:
            return 0
        last, self._last = self._last, number
        if last is None:
            return 0
        gap = number - last - 1
        if not 0 <= gap <= _MOST_MISSED:  # the publisher began anew, or there are two
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
    """As `bounded`; the callback gets the message's number of its publisher, where it is known."""

    def take(data: bytes, info: Mapping[str, Any]) -> None:
        number = info.get("publication_sequence_number")
        bounded(kind, lambda m: callback(m, number), most_bytes=most_bytes, refuse=refuse)(data)

    return with_info(take)
