"""Merges joint states of several publishers by name; detects joints that two of them report."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from threading import Lock

from robot_vision.core.clock import seconds_between
from robot_vision.core.files.foreign import quoted

_MOST_JOINTS = 256
# A joint not reported for this long has lost its publisher and is forgotten. The state has become
# old by then, so everything that depends on it has stopped.
_LOST_S = 2.0
# Messages within this time show who publishes what.
_RECENT_NS = 1_000_000_000
# One number that does not rise may be a restarted publisher; two within that time are not.
_MOST_REPEATS = 1


@dataclass(frozen=True, kw_only=True)
class _Joint:
    """The newest report of a joint. `among` are the names of the largest message that had it."""

    position: float
    stamp_ns: int
    arrived_ns: int
    names: tuple[str, ...]
    sequence: int | None
    among: tuple[str, ...]
    repeats_ns: deque[int]


class JointReports:
    """Keeps the newest position of each joint; locked, as another thread examines the sources.

    Arm and gripper often publish separately, each its own joints, in any order and not always all
    of them: that is normal. Two publishers for one joint are not: which of them is right?
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._joints: dict[str, _Joint] = {}

    def add(
        self,
        names: Sequence[str],
        positions: Sequence[float],
        *,
        stamp_ns: int,
        sequence: int | None,
        now_ns: int,
    ) -> dict[str, float]:
        """Take a message and its sequence number at its publisher, where that is known.

        A message without positions (velocities only, for example) changes nothing. Returns
        position by name. Raises `ValueError` for names that do not match the positions, or for
        more joints than any robot has.
        """
        if not len(positions):
            return {}
        if len(names) != len(positions) or len(set(names)) != len(names):
            raise ValueError(
                f"joint_states has {len(positions)} positions for the names "
                f"{quoted(', '.join(names[:_MOST_JOINTS]))}; expected one for each, no name twice"
            )
        by_name = dict(zip(names, positions, strict=True))
        with self._lock:
            self._forget_lost(now_ns)
            if len(self._joints.keys() | by_name.keys()) > _MOST_JOINTS:
                raise ValueError(
                    f"joint_states has more than {_MOST_JOINTS} joints, such as {quoted(names[0])}"
                )
            message = tuple(names)
            for name, position in by_name.items():
                before = self._joints.get(name)
                self._joints[name] = _Joint(
                    position=position,
                    stamp_ns=stamp_ns,
                    arrived_ns=now_ns,
                    names=message,
                    sequence=sequence,
                    among=max(before.among if before else (), message, key=len),
                    repeats_ns=_repeats_ns(before, message, sequence, now_ns),
                )
        return by_name

    def names(self) -> tuple[str, ...]:
        """All joints that are reported: those of the largest messages first, in their order."""
        with self._lock:
            among = {name: joint.among for name, joint in self._joints.items()}
        return tuple(
            sorted(among, key=lambda n: (-len(among[n]), sorted(among[n]), among[n].index(n)))
        )

    def positions(self, wanted: Collection[str], *, gripper: str) -> tuple[dict[str, float], int]:
        """Position by joint, the gripper's last, and the oldest stamp among them.

        For the joints `wanted`; where these are not known, for those that are reported with most
        others. Raises `ValueError` that names the missing joints.
        """
        with self._lock:
            joints = self._joints
            most = max((len(j.among) for name, j in joints.items() if name != gripper), default=0)
            names = [n for n in wanted if n != gripper] or [
                name for name, j in joints.items() if len(j.among) == most and name != gripper
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
        """Joints that two publishers report, as far as recent messages show."""
        with self._lock:
            return tuple(
                sorted(
                    name
                    for name, joint in self._joints.items()
                    if sum(now_ns - at < _RECENT_NS for at in joint.repeats_ns) > _MOST_REPEATS
                )
            )

    def _forget_lost(self, now_ns: int) -> None:
        lost = [
            name
            for name, joint in self._joints.items()
            if abs(seconds_between(joint.arrived_ns, now_ns)) > _LOST_S
        ]
        for name in lost:
            del self._joints[name]


def _repeats_ns(
    before: _Joint | None, message: tuple[str, ...], sequence: int | None, now_ns: int
) -> deque[int]:
    """When another publisher seemed to report a joint, including this message.

    Sequence numbers of one publisher rise; mixed numbers of two do not. Other
    joint names beside it confirm that; without numbers they are the only evidence.
    """
    if before is None:
        return deque(maxlen=_MOST_REPEATS + 1)
    now, then = set(message), set(before.names)
    if sequence is None or before.sequence is None:
        is_sure, is_likely = not (now <= then or then <= now), False
    else:
        is_likely = sequence <= before.sequence
        is_sure = is_likely and now != then
    repeats = _MOST_REPEATS + 1 if is_sure else int(is_likely)
    before.repeats_ns.extend([now_ns] * repeats)
    return before.repeats_ns
