"""Stamps are the only time the stages know: nanoseconds, as in ROS."""

NS_PER_S = 1_000_000_000


def seconds_between(earlier_ns: int, later_ns: int) -> float:
    """Seconds from `earlier_ns` to `later_ns` (negative if time went back)."""
    return (later_ns - earlier_ns) / NS_PER_S
