"""The arm's states for the recording: only those that the policy's own gate admits."""

from collections import deque
from collections.abc import Callable

import numpy as np
from geometry_msgs.msg import PoseStamped
from jaxtyping import Float64
from sensor_msgs.msg import JointState

from robot_vision.arm.kinematics import read_chain
from robot_vision.core.clock import seconds_between
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.demonstration_config import DemonstrationConfig
from robot_vision.core.parameters.groups.arm_config import ArmConfig
from robot_vision.core.types import RobotState
from robot_vision.demonstrations.recording.align import Aligner
from robot_vision.policies.guards.arm_gate import ArmGate
from robot_vision.ros.common.arm_reports import ArmReports
from robot_vision.ros.messages.poses import transform_from_pose
from robot_vision.sync.joint_history import JointHistory

# Reports that wait to be checked: a second of the fastest arms.
_MOST_KEPT = 20_000
# Stamps that far before the last ones are of a clock that was reset.
_CLOCK_SET_BACK_S = 1.0

Put = Callable[[Callable[[Aligner], object]], None]


class RecordedArm:
    """Takes joint states and tool poses in one thread; `put` gets the admitted ones.

    A tool pose waits for joints of the same time. Both are checked together, by stamps: the
    topics of an arm may be read in another order than they were written. `describe` may be called
    from other threads. `refuse` gets the reason why something is not recorded.
    """

    def __init__(
        self, config: DemonstrationConfig, *, put: Put, refuse: Callable[[str, str], None]
    ) -> None:
        self._config = config
        self._put, self._refuse = put, refuse
        self._reports = ArmReports(gripper=config.gripper, joints=(), frame_id=config.frame_id)
        self._gate = ArmGate(ArmConfig(**config.arm.model_dump()))
        self._joints = JointHistory()
        self._waiting: deque[tuple[int, str, float]] = deque(maxlen=_MOST_KEPT)
        self._tools: deque[tuple[int, Float64[np.ndarray, "4 4"]]] = deque(maxlen=_MOST_KEPT)
        self._examples: dict[str, str] = {}
        self._newest_tool_ns = 0
        self.is_tool_reported = False
        self.base_from_tool: Float64[np.ndarray, "4 4"] | None = None
        self.gripper_open: float | None = None

    @property
    def reported_joints(self) -> tuple[str, ...]:
        return self._reports.joint_names()

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The joints to record without the gripper's: the configured ones, else all."""
        names = self._config.joints or self.reported_joints
        return tuple(name for name in names if name != self._config.gripper.joint)

    def fault(self, now_ns: int) -> str:
        """Why joint states cannot be trusted now; empty if they can."""
        twice = self._reports.reported_twice(now_ns)
        if not twice:
            return ""
        return f"{quoted(', '.join(twice))} reported by two publishers; each joint must have one"

    def describe(self, urdf: str) -> None:
        """Compare joints with tool poses from now on. Raises `ConfigError` if it cannot."""
        self._reports.describe(
            read_chain(urdf, base_link=self._config.frame_id, tool_link=self._config.tool_frame_id)
        )

    def take_joints(
        self, message: JointState, *, stamp_ns: int, number: int | None, now_ns: int
    ) -> None:
        """Take a joint state. Raises `ValueError` for an unusable one."""
        positions = self._reports.add_joints(
            message, stamp_ns=stamp_ns, sequence=number, now_ns=now_ns
        )
        if not positions:
            raise ValueError(f"no positions of {quoted(', '.join(message.name) or 'any joint')}")
        if fault := self.fault(now_ns):
            raise ValueError(fault)
        unusable = [name for name, position in positions.items() if not np.isfinite(position)]
        usable = {name: p for name, p in positions.items() if name not in unusable}
        self._joints.add([*usable], [*usable.values()], stamp_ns=stamp_ns)
        self._waiting += [(stamp_ns, name, position) for name, position in usable.items()]
        self._judge()
        if unusable:
            raise ValueError(f"the positions of {quoted(', '.join(unusable))} are not finite")

    def take_tool(self, message: PoseStamped, *, stamp_ns: int) -> None:
        """Take a tool pose. Raises `ValueError` for an invalid one or one in another frame."""
        frame_id = message.header.frame_id
        if frame_id != self._config.frame_id:
            raise ValueError(f"it is in frame {frame_id!r}; expected {self._config.frame_id!r}")
        self.is_tool_reported = True
        if seconds_between(stamp_ns, self._newest_tool_ns) > _CLOCK_SET_BACK_S:
            self._begin_anew()
        self._newest_tool_ns = stamp_ns
        self._tools.append((stamp_ns, transform_from_pose(message.pose)))
        self._judge()

    def _begin_anew(self) -> None:
        """Handle a clock that was set back, or a recording that is played again."""
        self._gate.clear()
        self._joints = JointHistory()
        self._waiting.clear()
        self._tools.clear()

    def _judge(self) -> None:
        """Admit or refuse the tool poses whose joints have come or will not come."""
        names = (*self.joint_names, self._config.gripper.joint)
        heard_ns = self._joints.heard_until_ns(names)
        while self._tools and heard_ns is not None:
            stamp_ns, pose = self._tools[0]
            behind_s = seconds_between(stamp_ns, self._tools[-1][0])
            # Half of the time for which a slot waits; the other half is for admitted states.
            if heard_ns < stamp_ns and behind_s <= self._config.tolerance.wait_s / 2:
                return
            self._tools.popleft()
            *joints, gripper = self._joints.at(names, stamp_ns, max_age_s=np.inf)[0].values()
            state = RobotState(
                stamp_ns=stamp_ns,
                joint_position_rad=np.array(joints, np.float64),
                base_from_tool=pose,
                gripper_open=self._reports.gripper_open(gripper),
                joint_names=names[:-1],
            )
            self._gate.kinematics = self._reports.kinematics
            # By stamps alone: the clocks of a robot may differ from the recorder's.
            if refusal := self._gate.take(state, now_ns=stamp_ns):
                self._refused(refusal.kind, refusal.reason)
                self._take_until(stamp_ns)
            else:
                self._admit(state)

    def _admit(self, state: RobotState) -> None:
        self.base_from_tool, self.gripper_open = state.base_from_tool, state.gripper_open
        gripper = self._config.gripper.joint
        admitted = []
        for stamp_ns, name, position in self._take_until(state.stamp_ns):
            if name == gripper:
                admitted.append((stamp_ns, name, self._reports.gripper_open(position)))
            elif why := self._gate.joint_leaps(name, position, stamp_ns=stamp_ns):
                self._refused("doubtful", why)
            else:
                admitted.append((stamp_ns, name, position))

        def put(aligner: Aligner) -> None:
            for stamp_ns, name, position in admitted:
                aligner.add_joints(stamp_ns, {name: position})
            aligner.add_tool(state.stamp_ns, state.base_from_tool)

        self._put(put)

    def _refused(self, kind: str, why: str) -> None:
        """Report refused states; by the first reason of a kind, as its numbers always differ."""
        first = self._examples.setdefault(kind, why)
        self._refuse("arm", f"{kind} states are not recorded; the first: {first}")

    def _take_until(self, stamp_ns: int) -> list[tuple[int, str, float]]:
        """Remove and return the reports up to a stamp: stamp, joint and position."""
        taken = [report for report in self._waiting if report[0] <= stamp_ns]
        later = [report for report in self._waiting if report[0] > stamp_ns]
        self._waiting = deque(later, maxlen=_MOST_KEPT)
        return taken
