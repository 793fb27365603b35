"""`~/prompt`: sets the parameter `prompt`, so that topic and parameter agree."""

from collections.abc import Callable

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import String

from robot_vision.ros.middleware.any_qos import AnyQos
from robot_vision.ros.middleware.bounded import WORDS_BYTES, bounded


class PromptTopic:
    """Subscribes from construction on, in any state of the node, to publishers of any QoS.

    Prompts are refused as the parameter is: the node logs why.
    """

    def __init__(self, node: Node, refuse: Callable[[str], object]) -> None:
        self._node = node
        take = bounded(
            String,
            self._on_words,
            most_bytes=WORDS_BYTES,
            refuse=lambda why: refuse(f"~/prompt: {why}"),
        )
        group = MutuallyExclusiveCallbackGroup()
        self._heard = AnyQos(node, String, "~/prompt", take, group=group)

    def _on_words(self, message: String) -> None:
        words = " ".join(message.data.split())
        self._node.set_parameters([Parameter("prompt", value=words)])
