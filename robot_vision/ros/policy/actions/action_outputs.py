"""Commands as goals of ros2_control's actions: FollowJointTrajectory and a gripper's command.

control_msgs comes with a system-wide ROS 2; it is needed only if parameters name an action.
"""

from importlib import import_module
from time import monotonic
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.action.client import ActionClient
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import JointState

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import brief
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.types import Command
from robot_vision.ros.messages.joints import joint_trajectory_message
from robot_vision.ros.policy.actions.goals import Goals

# A server that takes longer to accept a goal counts as absent.
_ANSWER_S = 1.0
# Share of the gripper's travel; smaller changes are not sent.
_GRIPPER_STEP = 0.02


class ActionOutputs:
    """Clients of the actions that the parameters name; none of them if they name none."""

    def __init__(self, node: Node, config: PolicyNodeConfig, group: CallbackGroup) -> None:
        """Raises `ConfigError` where control_msgs or the action is not installed."""
        self._config = config
        self._clients: list[ActionClient] = []
        joint_space, gripper = config.joint_space, config.gripper
        self._arm: Goals | None = None
        self._gripper: Goals | None = None
        self._sent_s: float | None = None
        self._opening: float | None = None
        self._is_opening = False
        if joint_space.output == "action":
            kind = action_type("FollowJointTrajectory", "joint_space.output: topic")
            self._arm_kind = kind
            self._arm = self._goals(node, kind, joint_space.action, _arm_failure, group)
        if gripper.action != "none":
            self._gripper_kind = kind = action_type(gripper.action, "gripper.action: none")
            self._gripper = self._goals(
                node, kind, gripper.action_name, self._gripper_failure, group
            )

    def _goals(
        self, node: Node, kind: Any, name: str, failure: Any, group: CallbackGroup
    ) -> Goals:
        client = ActionClient(node, kind, name, callback_group=group)
        self._clients.append(client)
        return Goals(client, name, failure=failure, answer_s=_ANSWER_S)

    def close(self) -> None:
        """Destroy the clients, after their goals have ended."""
        for client in self._clients:
            client.destroy()
        self._clients.clear()

    @property
    def problem(self) -> str:
        """Why the arm or its gripper does not follow; checks the servers as well."""
        for goals in (self._arm, self._gripper):
            if goals is not None:
                goals.look(monotonic())
                if goals.problem:
                    return goals.problem
        return ""

    def clear(self) -> None:
        """Forget failed goals: the operator has enabled again."""
        for goals in (self._arm, self._gripper):
            if goals is not None:
                goals.clear()

    def command(self, command: Command) -> None:
        """Send changes; a hold cancels the arm's goal once the joints have stopped."""
        if self._arm is not None and command.joints is not None:
            if command.holding and not command.joints.velocity.any():
                self._end_arm(self._arm)
            else:
                self._follow(self._arm, command)
        if self._gripper is not None and not command.holding:
            self._grip(self._gripper, command.gripper_open)

    def end(self) -> None:
        """End commands: cancel goals under way."""
        if self._arm is not None:
            self._end_arm(self._arm)
        if self._gripper is not None and self._opening is not None:
            self._opening = None
            self._gripper.cancel()

    def _end_arm(self, goals: Goals) -> None:
        if self._sent_s is not None:
            self._sent_s = None
            goals.cancel()

    def _follow(self, goals: Goals, command: Command) -> None:
        """One goal each `goal_period_s`, due when the next takes over: speeds stay the same."""
        assert command.joints is not None
        joint_space, now_s = self._config.joint_space, monotonic()
        if self._sent_s is not None and now_s - self._sent_s < joint_space.goal_period_s:
            return
        due_s = max(joint_space.goal_period_s, joint_space.reach_s)
        trajectory = joint_trajectory_message(
            command.joints, stamp_ns=command.stamp_ns, reach_s=due_s
        )
        trajectory.header.stamp = Time()  # immediately: clocks of two machines differ
        if goals.send(self._arm_kind.Goal(trajectory=trajectory), now_s):
            self._sent_s = now_s

    def _grip(self, goals: Goals, opening: float) -> None:
        if self._opening is not None and abs(opening - self._opening) < _GRIPPER_STEP:
            return
        gripper = self._config.gripper
        position = gripper.closed + opening * (gripper.open - gripper.closed)
        goal = self._gripper_kind.Goal()
        if gripper.action == "GripperCommand":
            goal.command.position, goal.command.max_effort = position, gripper.max_effort
        else:
            effort = [gripper.max_effort] if gripper.max_effort else []
            goal.command = JointState(name=[gripper.joint], position=[position], effort=effort)
        is_opening = opening > (0.5 if self._opening is None else self._opening)
        if goals.send(goal, monotonic()):
            self._opening, self._is_opening = opening, is_opening

    def _gripper_failure(self, result: Any) -> str:
        """A gripper that closes short of its position has something between its fingers.

        It stalls, or aborts as Franka's does; neither is a failure.
        """
        if result.stalled or not self._is_opening:
            return ""
        return "the gripper did not reach its position"


def action_type(name: str, instead: str) -> Any:
    """An action of control_msgs. Raises `ConfigError` that says what to install or to set."""
    try:
        return getattr(import_module("control_msgs.action"), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"the action control_msgs/{name} is not installed ({error}): install "
            f"ros-$ROS_DISTRO-control-msgs, or set {instead}"
        ) from error


def _arm_failure(result: Any) -> str:
    return f"error {result.error_code} {brief(result.error_string)}".strip()
