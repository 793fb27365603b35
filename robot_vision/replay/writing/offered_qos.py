"""The QoS of a recorded topic in rosbag2's format, which it uses for playback.

Numbers are those of rmw, as up to format 5 (Humble), which all later ones read. Without a profile,
playback is volatile: latched topics such as /tf_static then do not reach late subscribers.
"""

_FOREVER = "    sec: 9223372036\n    nsec: 854775807\n"
_RELIABLE = 1
_LATCHED, _VOLATILE = 1, 2
_KEEP_LAST = 1
_AUTOMATIC = 1


def offered_qos(*, latched: bool) -> str:
    """A list of one reliable profile, which keeps the last message if latched."""
    return (
        f"- history: {_KEEP_LAST}\n"
        f"  depth: {1 if latched else 10}\n"
        f"  reliability: {_RELIABLE}\n"
        f"  durability: {_LATCHED if latched else _VOLATILE}\n"
        f"  deadline:\n{_FOREVER}"
        f"  lifespan:\n{_FOREVER}"
        f"  liveliness: {_AUTOMATIC}\n"
        f"  liveliness_lease_duration:\n{_FOREVER}"
        "  avoid_ros_namespace_conventions: false"
    )
