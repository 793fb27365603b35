"""The node `demonstrations`: a robot's topics become episodes of a dataset.

`topics` receives, `worker` owns the dataset; services call it and wait for its answer.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from robot_vision.core.errors import RobotVisionError
from robot_vision.core.parameters.demonstration_config import DemonstrationConfig
from robot_vision.demonstrations.status import RECORDER_STATUS, RecorderStatus
from robot_vision.ros.common.params import declare
from robot_vision.ros.common.run import run
from robot_vision.ros.common.tf import TargetFrame
from robot_vision.ros.demonstrations.topics import DemoTopics
from robot_vision.ros.demonstrations.worker import PoseOf, RecordingThread
from robot_vision.ros.messages.poses import transform_from_pose
from robot_vision.ros.middleware.any_qos import AnyQos
from robot_vision.ros.middleware.bounded import (
    MOST_INSTRUCTION_CHARACTERS,
    POSE_BYTES,
    WORDS_BYTES,
    bounded,
)
from robot_vision.ros.middleware.qos import LATCHED_QOS


class DemoRecorder(Node):
    """Subscribes from construction on; `~/begin`, `~/end` and `~/discard` delimit episodes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("demonstrations", **kwargs)
        self.config = declare(self, DemonstrationConfig())
        self.problem = ""
        self.ended = False
        self._instruction = ""
        self._heard = heard = DemoTopics(self, self.config)
        self._status = self.create_publisher(String, "~/status/json", LATCHED_QOS)
        self._recording = RecordingThread(
            self.config,
            heard,
            pose_of=_pose_source(self, self.config, heard),
            log=self.get_logger().warning,
            on_status=self._publish_status,
        )
        words = bounded(
            String, self._on_instruction, most_bytes=WORDS_BYTES, refuse=self._refuse_instruction
        )
        AnyQos(self, String, "instruction", words, group=self.default_callback_group)
        group = MutuallyExclusiveCallbackGroup()
        self.create_service(Trigger, "~/begin", self._on_begin, callback_group=group)
        self.create_service(SetBool, "~/end", self._on_end, callback_group=group)
        self.create_service(Trigger, "~/discard", self._on_discard, callback_group=group)

    @property
    def busy(self) -> bool:
        """Whether the recorder is writing, which the process must not interrupt."""
        return self._recording.is_alive

    def destroy_node(self) -> None:
        """End; an open episode is kept, with unknown success."""
        self._recording.stop()
        super().destroy_node()

    def _on_instruction(self, message: String) -> None:
        if len(message.data) > MOST_INSTRUCTION_CHARACTERS:
            most = MOST_INSTRUCTION_CHARACTERS
            self._refuse_instruction(f"it has more than {most} characters, the limit")
            return
        self._instruct(message.data)

    def _refuse_instruction(self, why: str) -> None:
        """Forget the previous instruction: it is no longer the operator's."""
        self._heard.refuse("instruction", why)
        self._instruct("")

    def _instruct(self, words: str) -> None:
        self._instruction = words
        self._recording.instruct(words)

    def _on_begin(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        instruction = self._instruction
        return self._answer(response, lambda r: r.begin(instruction))

    def _on_end(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        success = request.data
        return self._answer(response, lambda r: r.end(success=success))

    def _on_discard(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._answer(response, lambda r: r.discard())

    def _answer(self, response: Any, ask: Callable[["RecordingThread"], str]) -> Any:
        try:
            response.message = self._recording.ask(ask)
            response.success = True
            self.get_logger().info(response.message)
        except (RobotVisionError, OSError, TimeoutError) as error:
            response.message, response.success = str(error), False
            self.get_logger().warning(response.message)
        return response

    def _publish_status(self, status: RecorderStatus) -> None:
        self._status.publish(String(data=RECORDER_STATUS.write(status)))


def _pose_source(node: Node, config: DemonstrationConfig, heard: DemoTopics) -> PoseOf:
    """A function that returns a camera's pose by name, frame and stamp; None if unknown."""
    if config.camera_pose == "tf":
        tree = TargetFrame(node, config.frame_id, config.transforms)
        return lambda _, frame_id, stamp_ns: tree.from_camera(
            frame_id, stamp_ns, report=lambda _: None
        )
    poses: dict[str, np.ndarray] = {}
    if config.camera_pose == "topic":
        for name in config.cameras:

            def take(message: PoseStamped, name: str = name) -> None:
                if message.header.frame_id == config.frame_id:
                    with suppress(ValueError):
                        poses[name] = transform_from_pose(message.pose)

            topic = f"{name}/camera_pose"
            refuse = partial(heard.refuse, topic)
            raw = bounded(PoseStamped, take, most_bytes=POSE_BYTES, refuse=refuse)
            AnyQos(node, PoseStamped, topic, raw, group=node.default_callback_group)
    return lambda name, _, __: poses.get(name)


def record(ros_args: Sequence[str]) -> int:
    """Run the node until a signal; returns the exit status. `ros_args` as for every node."""
    return run(ros_args, lambda: [DemoRecorder()])
