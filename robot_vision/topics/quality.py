"""Quality of service of topics, without ROS."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Quality of service of a topic: whether delivery is reliable, how many messages are kept."""

    reliable: bool
    kept: int


# Reliable, because results are small or wanted; a few, because a slow reader must not lose any.
RESULTS = Quality(reliable=True, kept=5)
