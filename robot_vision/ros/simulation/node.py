"""The simulated robot as a ROS 2 node: cameras and arm on topics, commands in; see README."""

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistStamped
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_vision.core.clock import NS_PER_S, seconds_between
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.robot_config import RobotSimConfig
from robot_vision.core.types import RobotState
from robot_vision.ros.common.health import Health
from robot_vision.ros.common.params import declare, parameter_lines, with_known_parameters
from robot_vision.ros.common.run import EXPECTED, run
from robot_vision.ros.messages.convert import header, ns_from_stamp, stamp_from_ns
from robot_vision.ros.messages.joints import positions_of
from robot_vision.ros.messages.poses import (
    GRIPPER,
    pose_from_transform,
    transform_from_pose,
)
from robot_vision.ros.middleware.own_thread import OwnThread
from robot_vision.ros.middleware.qos import LATCHED_QOS
from robot_vision.ros.middleware.rclpy_internals import is_up
from robot_vision.ros.simulation.cameras import SimCameras
from robot_vision.ros.simulation.physics import ArmCommand, ExposureSlot, Physics
from robot_vision.ros.simulation.scene import Scene, build_scene
from robot_vision.ros.simulation.transforms import SimTransforms
from robot_vision.simulation.robot.arms.arms import arm_named
from robot_vision.simulation.robot.arms.urdf import urdf_of
from robot_vision.simulation.robot.work.task import Kind
from robot_vision.simulation.task_status import TASK_STATUS

BASE, TOOL = "base", "tool"
_STATE_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
_COMMAND_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_TASK_PERIOD_NS = NS_PER_S // 5
_BEHIND_S = 2.0  # of simulated time


class RobotSim(Node):
    """Runs from construction to `destroy_node`; physics and cameras have their own threads."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("robot_sim", **kwargs)
        config = self.config = declare(self, RobotSimConfig())
        self._kind: Kind | None = None if config.task == "any" else config.task
        self._arm = arm_named(config.arm)
        self._seed = config.seed
        self._health = Health()
        self.problem = ""
        self.ended = False
        self.busy = False  # none of its work takes long
        self._gripper = 1.0
        self._logged_task = ("", 0)
        self._warned_slow = False
        self._joints = self.create_publisher(JointState, "joint_states", _STATE_QOS)
        self._tool = self.create_publisher(PoseStamped, "tool_pose", _STATE_QOS)
        self._camera_pose = self.create_publisher(PoseStamped, "camera_pose", LATCHED_QOS)
        self._task = self.create_publisher(String, "~/task", LATCHED_QOS)
        self._description = self.create_publisher(String, "robot_description", LATCHED_QOS)
        self._sim_clock = self.create_publisher(Clock, "/clock", 10) if config.speed != 1 else None
        self._transforms = SimTransforms(self, base=BASE, tool=TOOL)
        scene = self._scene()
        self._announce(scene, self.get_clock().now().nanoseconds)
        text = urdf_of(scene.world.model, self._arm, base=BASE, tool=TOOL)
        self._description.publish(String(data=text))
        self._exposures = ExposureSlot()
        self._cameras = SimCameras(
            self, self._exposures, config, now_ns=lambda: self._physics.now_ns, fail=self._fail
        )
        self._physics = Physics(
            scene,
            config,
            self._exposures,
            clock_ns=lambda: self.get_clock().now().nanoseconds,
            on_tick=self._on_tick,
            on_state=self._on_state,
            on_scene=self._announce,
            fail=self._fail,
        )
        self._commands = OwnThread("commands", node=self)
        self._commands.start(self._subscribe())
        self.create_service(
            Trigger,
            "~/reset",
            self._on_reset,
            callback_group=MutuallyExclusiveCallbackGroup(),
        )
        self.add_on_set_parameters_callback(self._on_parameters)
        self._cameras.start()
        self._physics.start()

    def destroy_node(self) -> None:
        self._commands.stop()
        self._physics.stop()
        self._cameras.stop()
        super().destroy_node()

    def _fail(self, error: Exception) -> None:
        """End the process: without time or images nothing can be simulated."""
        if is_up(self.context):
            self.problem = f"{type(error).__name__}: {error}"
            self.get_logger().error("".join(traceback.format_exception(error)))
            self.ended = True
            if self.executor is not None:
                self.executor.wake()

    def _subscribe(self) -> list[Any]:
        """Subscribe to the configured command and to the gripper's."""
        listen: list[tuple[Any, str, Callable[[Any], None]]] = [
            (JointState, "policy/command/gripper", self._on_gripper)
        ]
        if self.config.command == "pose":
            listen.append((PoseStamped, "policy/command/pose", self._on_pose))
        elif self.config.command == "joint":
            topic = "policy/command/joint_trajectory"
            listen.append((JointTrajectory, topic, self._on_trajectory))
        else:
            listen.append((TwistStamped, "policy/command/twist", self._on_twist))
        return [
            self.create_subscription(
                kind, topic, callback, _COMMAND_QOS, callback_group=self._commands
            )
            for kind, topic, callback in listen
        ]

    def _announce(self, scene: Scene, stamp_ns: int) -> None:
        """Publish the pose of a scene's camera, valid from a stamp on."""
        if not is_up(self.context):
            return
        base_from_camera = scene.world.base_from_camera
        self._camera_pose.publish(
            PoseStamped(header=header(stamp_ns, BASE), pose=pose_from_transform(base_from_camera))
        )
        self._transforms.camera(
            base_from_camera, stamp_ns=stamp_ns, frame_id=scene.world.camera.frame_id
        )
        self.get_logger().info(f"scene {scene.seed}: {scene.instruction}")

    def _on_tick(self, now_ns: int, scene: Scene) -> None:
        if not is_up(self.context):
            return
        if self._sim_clock is not None:
            self._sim_clock.publish(Clock(clock=stamp_from_ns(now_ns)))
        instruction, logged_ns = self._logged_task
        if instruction != scene.instruction or not 0 <= now_ns - logged_ns < _TASK_PERIOD_NS:
            self._logged_task = (scene.instruction, now_ns)
            self._warn_if_slow()
            task = scene.status(
                stamp_ns=now_ns,
                behind_s=self._physics.behind_s,
                pictures_skipped=self._exposures.skipped,
                commands_refused=self._refused(),
            )
            self._task.publish(String(data=TASK_STATUS.write(task)))

    def _warn_if_slow(self) -> None:
        """Once: a machine that cannot keep up makes perception and arm look broken."""
        behind_s, speed = self._physics.behind_s, self.config.speed
        if self._warned_slow or behind_s < _BEHIND_S:
            return
        self._warned_slow = True
        self.get_logger().warning(
            f"this machine is too slow for speed {speed:g} ({behind_s:.1f} s lost): set a lower "
            f"one (-p speed:={speed / 5:g}), and -p use_sim_time:=true for the other nodes"
        )

    def _on_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        """Refuse what is only read at the start; ~/reset reads `seed`."""
        try:
            names, wanted = with_known_parameters(self.config, changed)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        fixed = wanted.model_copy(update={"seed": self.config.seed}) != self.config
        reason = f"{', '.join(names)}: read at the start only; start robot_sim again"
        return SetParametersResult(successful=not fixed, reason=reason if fixed else "")

    def _refused(self) -> int:
        return sum(why.total for why in self._health.report().drops.values())

    def _on_state(self, state: RobotState) -> None:
        if not is_up(self.context):
            return
        stamp_ns = state.stamp_ns
        positions = state.joint_position_rad.tolist()
        self._joints.publish(
            JointState(
                header=header(stamp_ns, BASE),
                name=[*self._arm.joint_names, GRIPPER],
                position=[*positions, state.gripper_open],
            )
        )
        pose = pose_from_transform(state.base_from_tool)
        self._tool.publish(PoseStamped(header=header(stamp_ns, BASE), pose=pose))
        self._transforms.tool(state.base_from_tool, stamp_ns=stamp_ns)

    def _on_pose(self, message: PoseStamped) -> None:
        try:
            self._check(message.header)
            target = transform_from_pose(message.pose)
        except ValueError as error:
            self._refuse(str(error))
        else:
            self._physics.follow(ArmCommand(base_from_tool=target, gripper_open=self._gripper))

    def _on_twist(self, message: TwistStamped) -> None:
        linear, angular = message.twist.linear, message.twist.angular
        twist = np.array([linear.x, linear.y, linear.z, angular.x, angular.y, angular.z])
        try:
            self._check(message.header)
            if not np.isfinite(twist).all():
                raise ValueError(f"twist {twist.tolist()} is not finite")
        except ValueError as error:
            self._refuse(str(error))
        else:
            until_ns = self._physics.now_ns + round(self.config.command_timeout_s * NS_PER_S)
            self._physics.follow(
                ArmCommand(twist=twist, until_ns=until_ns, gripper_open=self._gripper)
            )

    def _on_trajectory(self, message: JointTrajectory) -> None:
        """Follow a joint trajectory: its first point; joints have no frame."""
        try:
            self._check_age(message.header)
            joints = positions_of(message, self._arm.joint_names)
        except ValueError as error:
            self._refuse(str(error))
        else:
            self._physics.follow(ArmCommand(joints=joints, gripper_open=self._gripper))

    def _on_gripper(self, message: JointState) -> None:
        opening = dict(zip(message.name, message.position, strict=False)).get(GRIPPER)
        if opening is None or not np.isfinite(opening):
            self._refuse(f"gripper command has no finite position of {GRIPPER!r}")
            return
        self._gripper = float(np.clip(opening, 0.0, 1.0))

    def _check(self, head: Header) -> None:
        """Raise `ValueError` unless a command is current and in the base frame."""
        if head.frame_id != BASE:
            raise ValueError(f"command in frame {head.frame_id!r}; expected {BASE!r}")
        self._check_age(head)

    def _check_age(self, head: Header) -> None:
        age_s = seconds_between(ns_from_stamp(head.stamp), self._physics.now_ns)
        if age_s > self.config.command_timeout_s:
            limit_s = self.config.command_timeout_s
            raise ValueError(f"command is older than command_timeout_s = {limit_s:g} s")

    def _refuse(self, why: str) -> None:
        if self._health.dropped("command refused", why):
            self.get_logger().warning(f"{why} (refused; counted on ~/task from now on)")

    def _scene(self) -> Scene:
        return build_scene(
            self._seed,
            kind=self._kind,
            arm=self._arm,
            fixed_camera=self.config.fixed_camera,
        )

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Load another scene: that of the parameter `seed` if it changed, else the next one."""
        wanted = self.get_parameter("seed").value
        self._seed = self._seed + 1 if wanted == self.config.seed else int(wanted or 0)
        self.config = self.config.model_copy(update={"seed": wanted})
        scene = self._scene()
        self._gripper = 1.0
        self._physics.put_scene(scene)
        response.success = True
        response.message = json.dumps({"seed": scene.seed, "instruction": scene.instruction})
        return response


def main() -> None:
    """Entry point of `ros2 run robot_vision robot_sim`."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        lines = "\n".join(parameter_lines(RobotSimConfig()))
        print(f"Simulated arm and cameras. {EXPECTED}\n\n{lines}")
        return
    sys.exit(run(sys.argv[1:], lambda: [RobotSim()]))


if __name__ == "__main__":
    main()
