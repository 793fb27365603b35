"""Joint states of several publishers, merged by name; who reports a joint twice is found out."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from threading import Lock

from sensor_msgs.msg import JointState

from robot_vision.core.clock import seconds_between
from robot_vision.core.foreign import quoted
from robot_vision.ros.messages.convert import ns_from_stamp

_MOST_JOINTS = 256
# A joint that did not come for so long has lost its publisher, and is forgotten: the state is old
# in the meantime, so that whoever goes by it has stopped.
_LOST_S = 2.0
# Clocks of two machines differ by so much.
MAX_FUTURE_S = 0.05
# What was seen in this time says who publishes what.
_RECENT_NS = 1_000_000_000
# One number that does not rise may be a publisher that began anew; two in that time are not.
_MOST_REPEATS = 1


@dataclass(frozen=True, kw_only=True)
class _Joint:
    """`together` is how many joints its message had."""

    position: float
    stamp_ns: int
    arrived_ns: int
    together: int


class JointReports:
    """Keeps the newest position of each joint; locked, as those who look at sources have a thread.

    Arm and gripper often publish apart, each its own joints: that is normal. One joint that two
    publishers report is not: which of the two is true?
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._joints: dict[str, _Joint] = {}
        self._sequence: dict[tuple[str, ...], int] = {}
        self._seen_ns: dict[tuple[str, ...], int] = {}
        self._repeats_ns: dict[tuple[str, ...], deque[int]] = {}

    def add(self, message: JointState, *, sequence: int | None, now_ns: int) -> None:
        """Take a message and its number among those of its publisher, where that is known.

        Raises `ValueError` for more joints than any robot has, and for stamps that say nothing.
        """
        stamp_ns, names = ns_from_stamp(message.header.stamp), tuple(message.name)
        if not stamp_ns:
            raise ValueError("header.stamp of joint_states is 0")
        if (ahead_s := seconds_between(now_ns, stamp_ns)) > MAX_FUTURE_S:
            raise ValueError(f"joint_states is stamped {ahead_s:.3f} s ahead of this node's clock")
        positions = dict(zip(names, message.position, strict=False))
        with self._lock:
            self._forget_lost(now_ns)
            if len(self._joints.keys() | positions.keys()) > _MOST_JOINTS:
                raise ValueError(
                    f"joint_states has more than {_MOST_JOINTS} joints, such as {quoted(names[0])}"
                )
            for name, position in positions.items():
                self._joints[name] = _Joint(
                    position=position,
                    stamp_ns=stamp_ns,
                    arrived_ns=now_ns,
                    together=len(positions),
                )
            self._watch(names, sequence, now_ns)

    def _forget_lost(self, now_ns: int) -> None:
        self._joints = {
            name: joint
            for name, joint in self._joints.items()
            if abs(seconds_between(joint.arrived_ns, now_ns)) <= _LOST_S
        }

    def positions(self, wanted: Collection[str], *, gripper: str) -> tuple[dict[str, float], int]:
        """Position by joint, the gripper's last, and the stamp of the one reported longest ago.

        Of the joints `wanted`; where these are not known, of those that are reported with most
        others. Raises `ValueError` that names what is missing.
        """
        with self._lock:
            joints = self._joints
            most = max((j.together for name, j in joints.items() if name != gripper), default=0)
            names = [n for n in wanted if n != gripper] or [
                name for name, j in joints.items() if j.together == most and name != gripper
            ]
            missing = [name for name in (*names, gripper) if name not in joints]
            if missing:
                raise ValueError(
                    f"joint_states has no joint {quoted(', '.join(missing))} with a position; it "
                    f"has {quoted(', '.join(joints) or 'none')}"
                )
            found = [(name, joints[name]) for name in (*names, gripper)]
        return (
            {name: joint.position for name, joint in found},
            min(joint.stamp_ns for _, joint in found),
        )

    def reported_twice(self, now_ns: int) -> tuple[str, ...]:
        """Joints that two publishers report, as far as the messages of late show it."""
        with self._lock:
            return self._reported_twice(now_ns)

    def _reported_twice(self, now_ns: int) -> tuple[str, ...]:
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
