"""Joint states of several publishers, merged by name; who reports a joint twice is found out."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from sensor_msgs.msg import JointState

from robot_vision.core.clock import seconds_between
from robot_vision.core.foreign import quoted
from robot_vision.ros.convert import ns_from_stamp

_MOST_JOINTS = 256
# A joint that was reported so long before the newest has lost its publisher, and is forgotten: the
# state is old in the meantime, so that whoever goes by it has stopped.
_LOST_S = 2.0
# What was seen in this time says who publishes what.
_RECENT_NS = 1_000_000_000
# One number that does not rise may be a publisher that began anew; two in that time are not.
_MOST_REPEATS = 1


@dataclass(frozen=True, kw_only=True)
class _Joint:
    position: float
    stamp_ns: int


class JointReports:
    """Keeps the newest position of each joint. Not locked: one thread has it.

    Arm and gripper often publish apart, each its own joints: that is normal. One joint that two
    publishers report is not: which of the two is true?
    """

    def __init__(self) -> None:
        self._joints: dict[str, _Joint] = {}
        self._sequence: dict[tuple[str, ...], int] = {}
        self._seen_ns: dict[tuple[str, ...], int] = {}
        self._repeats_ns: dict[tuple[str, ...], deque[int]] = {}

    def add(self, message: JointState, *, sequence: int | None, now_ns: int) -> None:
        """Take a message and its number among those of its publisher, where that is known.

        Raises `ValueError` for more joints than any robot has.
        """
        stamp_ns = ns_from_stamp(message.header.stamp)
        names = tuple(message.name)
        positions = dict(zip(names, message.position, strict=False))
        if len(self._joints.keys() | positions.keys()) > _MOST_JOINTS:
            raise ValueError(
                f"joint_states has more than {_MOST_JOINTS} joints, such as {quoted(names[0])}"
            )
        for name, position in positions.items():
            self._joints[name] = _Joint(position=position, stamp_ns=stamp_ns)
        self._forget_lost()
        self._watch(names, sequence, now_ns)

    def _forget_lost(self) -> None:
        newest_ns = max((joint.stamp_ns for joint in self._joints.values()), default=0)
        self._joints = {
            name: joint
            for name, joint in self._joints.items()
            if seconds_between(joint.stamp_ns, newest_ns) <= _LOST_S or not joint.stamp_ns
        }

    def positions(self) -> Mapping[str, float]:
        """By joint, in the order in which they were first reported."""
        return {name: joint.position for name, joint in self._joints.items()}

    def stamp_ns(self) -> int:
        """Of the joint that was reported longest ago; 0 without any."""
        return min((joint.stamp_ns for joint in self._joints.values()), default=0)

    def reported_twice(self, now_ns: int) -> tuple[str, ...]:
        """Joints that two publishers report, as far as the messages of late show it."""
        recent = [names for names, at in self._seen_ns.items() if now_ns - at < _RECENT_NS]
        twice: set[str] = set()
        for index, names in enumerate(recent):
            for others in recent[index + 1 :]:
                twice |= set(names) & set(others)
            repeats = [at for at in self._repeats_ns.get(names, ()) if now_ns - at < _RECENT_NS]
            if len(repeats) > _MOST_REPEATS:
                twice |= set(names)
        return tuple(sorted(twice))

    def _watch(self, names: tuple[str, ...], sequence: int | None, now_ns: int) -> None:
        """Numbers of one publisher rise; those of two do not, when they report the same joints."""
        if len(self._seen_ns) > _MOST_JOINTS:
            self._seen_ns.clear()
            self._sequence.clear()
            self._repeats_ns.clear()
        self._seen_ns[names] = now_ns
        if sequence is None:
            return
        if sequence <= self._sequence.get(names, -1):
            self._repeats_ns.setdefault(names, deque(maxlen=4)).append(now_ns)
        self._sequence[names] = sequence
