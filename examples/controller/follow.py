"""A controller of your own between the policy and an arm: it refuses what has expired.

    robot_sim --ros-args -r policy/command/pose:=arm/pose -r policy/command/gripper:=arm/gripper
    robot-vision run --policy --console -p camera_pose.source:=topic
    python examples/controller/follow.py

It passes on each command of the policy's stream that is at most `MAX_AGE_S` old, and logs when it
starts, when it ends and why. Call your arm's driver where it publishes on `arm/pose`.
"""

import json
from contextlib import suppress

import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import MultiDOFJointTrajectory

MAX_AGE_S = 0.1
CHECK_S = 0.05


class Follower(Node):
    """Passes commands on while they are valid."""

    def __init__(self) -> None:
        super().__init__("follower")
        self._last: Time | None = None  # stamp of the last command that was passed on
        self._state = ""
        self._plan = "no plan yet"
        self._arm_pose = self.create_publisher(PoseStamped, "arm/pose", 1)
        self._arm_gripper = self.create_publisher(JointState, "arm/gripper", 1)
        self.create_subscription(PoseStamped, "policy/command/pose", self._on_pose, 1)
        self.create_subscription(JointState, "policy/command/gripper", self._on_gripper, 1)
        self.create_subscription(MultiDOFJointTrajectory, "policy/action_chunk", self._on_plan, 1)
        self.create_subscription(String, "policy/status/json", self._on_status, 1)
        self.create_timer(CHECK_S, self._check)

    def _age_s(self, stamp: Time) -> float:
        return (self.get_clock().now() - stamp).nanoseconds / 1e9

    def _is_valid(self, stamp: Time) -> bool:
        """A stamp from the future means that the clocks of two machines differ."""
        return abs(self._age_s(stamp)) <= MAX_AGE_S

    def _on_pose(self, message: PoseStamped) -> None:
        stamp = Time.from_msg(message.header.stamp)
        if not self._is_valid(stamp):
            age_s = self._age_s(stamp)
            self.get_logger().warning(
                f"command refused: {age_s:.2f} s old", throttle_duration_sec=1
            )
            return
        if self._last is None:
            self.get_logger().info(f"commands begin; {self._plan}")
        self._last = stamp
        self._arm_pose.publish(message)

    def _on_gripper(self, message: JointState) -> None:
        if self._is_valid(Time.from_msg(message.header.stamp)):
            self._arm_gripper.publish(message)

    def _on_plan(self, message: MultiDOFJointTrajectory) -> None:
        """The plan behind the stream. Its stamp is the camera frame's; passed steps are void."""
        age_s = self._age_s(Time.from_msg(message.header.stamp))
        due_s = [
            Duration.from_msg(point.time_from_start).nanoseconds / 1e9 for point in message.points
        ]
        left = sum(each_s > age_s for each_s in due_s)
        self._plan = f"plan of {len(due_s)} steps, {age_s:.2f} s old: {left} steps left"

    def _on_status(self, message: String) -> None:
        status = json.loads(message.data)
        state = "holds" if status["holding"] else "leads the arm"
        if state != self._state:
            self._state = state
            self.get_logger().info(f"the policy {state} {'; '.join(status['reasons'])}")

    def _check(self) -> None:
        if self._last is not None and not self._is_valid(self._last):
            self._last = None
            self.get_logger().warning("commands end: the arm stays where it is")


def main() -> None:
    rclpy.init()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(Follower())


if __name__ == "__main__":
    main()
