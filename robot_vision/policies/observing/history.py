"""Past arm states by stamp, with interpolation."""

from bisect import bisect_right
from collections import deque

from robot_vision.core import quaternions
from robot_vision.core.cameras.geometry import joints_between
from robot_vision.core.clock import NS_PER_S, seconds_between
from robot_vision.core.types import RobotState

# A stamp older than the newest by more than this means that the clock restarted, not a late state.
_RESTART_S = 1.0


class History:
    """The states of the last `keep_s`, ordered by stamp."""

    def __init__(self, *, keep_s: float) -> None:
        self._keep_s = keep_s
        self._states: deque[RobotState] = deque()

    def add(self, state: RobotState) -> None:
        """Add a state; one that is not newer than the newest is dropped."""
        newest = self.newest
        if newest is not None and state.stamp_ns <= newest.stamp_ns:
            if seconds_between(state.stamp_ns, newest.stamp_ns) < _RESTART_S:
                return
            self._states.clear()
        self._states.append(state)
        while seconds_between(self._states[0].stamp_ns, state.stamp_ns) > self._keep_s:
            self._states.popleft()

    def clear(self) -> None:
        self._states.clear()

    @property
    def newest(self) -> RobotState | None:
        return self._states[-1] if self._states else None

    def at(self, stamp_ns: int) -> RobotState | None:
        """The state at a stamp, interpolated between its neighbours; None before the first.

        After the newest it is the newest: there is no extrapolation.
        """
        after = bisect_right(self._states, stamp_ns, key=lambda state: state.stamp_ns)
        if after == 0:
            return None
        before = self._states[after - 1]
        if after == len(self._states) or before.stamp_ns == stamp_ns:
            return before
        return _between(before, self._states[after], stamp_ns)

    def before(self, stamp_ns: int, *, count: int, step_s: float) -> tuple[RobotState, ...]:
        """The states 1 … `count` steps before a stamp, oldest first, as many as exist."""
        step_ns = round(step_s * NS_PER_S)
        states = [self.at(stamp_ns - k * step_ns) for k in range(count, 0, -1)]
        return tuple(state for state in states if state is not None)


def _between(before: RobotState, after: RobotState, stamp_ns: int) -> RobotState:
    share = (stamp_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)
    start = quaternions.from_matrix(before.base_from_tool[:3, :3])
    turn_rad = quaternions.between(start, quaternions.from_matrix(after.base_from_tool[:3, :3]))
    place_m = before.base_from_tool[:3, 3]
    joints_rad = before.joint_position_rad
    if after.joint_position_rad.shape == joints_rad.shape:
        joints_rad = joints_between(joints_rad, after.joint_position_rad, share)
    return RobotState(
        stamp_ns=stamp_ns,
        joint_position_rad=joints_rad,
        base_from_tool=quaternions.pose_matrix(
            place_m + share * (after.base_from_tool[:3, 3] - place_m),
            quaternions.multiply(quaternions.exp(share * turn_rad), start),
        ),
        gripper_open=before.gripper_open + share * (after.gripper_open - before.gripper_open),
        joint_names=before.joint_names if before.joint_names == after.joint_names else (),
    )
