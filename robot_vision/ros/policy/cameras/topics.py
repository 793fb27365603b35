"""Topics of a policy's cameras: colour and depth, paired by stamp."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import monotonic_ns
from typing import Any

import numpy as np
from rclpy.node import Node

from robot_vision.core.errors import EncodingError
from robot_vision.core.manifests.observation_spec import CameraInput
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.convert import depth_from_message, ns_from_stamp, rgb_from_message
from robot_vision.ros.messages.live import class_of
from robot_vision.ros.messages.received_image import received_image
from robot_vision.ros.middleware.bounded import checked_frame_id
from robot_vision.ros.middleware.own_thread import OwnThread
from robot_vision.ros.middleware.qos import profile_of
from robot_vision.ros.middleware.rclpy_internals import given_parameters
from robot_vision.ros.middleware.silence import ListenedTopic
from robot_vision.sync.pairing import Pair, Pairer
from robot_vision.topics.policy_table import CAMERA_COLOR, CAMERA_DEPTH, PolicyTopic


@dataclass(frozen=True, kw_only=True)
class CameraTopicNames:
    """Topics of one camera, and the unit of its integer depth (m)."""

    rgb: str
    depth: str
    raw_unit_m: float


def declared_topics(
    node: Node, cameras: tuple[CameraInput, ...]
) -> Mapping[str, CameraTopicNames]:
    """Topics by camera: the parameters `cameras.<name>.rgb`, `.depth` and `.raw_unit_m`.

    The first camera's defaults are perception's topics; the others' are below their names.
    Parameters of cameras that the policy does not have are logged as warnings.
    """
    found = {}
    for place, camera in enumerate(cameras):
        below = f"{camera.name}/" if place else ""
        defaults = {
            "rgb": f"{below}rgb",
            "depth": f"{below}depth",
            "raw_unit_m": ServiceConfig().depth.raw_unit_m,
        }
        values = {}
        for kind, default in defaults.items():
            parameter = f"cameras.{camera.name}.{kind}"
            if not node.has_parameter(parameter):
                node.declare_parameter(parameter, default)
            values[kind] = node.get_parameter(parameter).value
        found[camera.name] = CameraTopicNames(**values)
    given = [name for name in given_parameters(node) if name.startswith("cameras.")]
    if unknown := [name for name in given if not node.has_parameter(name)]:
        names = ", ".join(found)
        node.get_logger().warning(
            f"{', '.join(unknown)}: expected .rgb, .depth or .raw_unit_m of the policy's cameras "
            f"({names})"
        )
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraCallbacks:
    """Callbacks with a camera's name: for each frame, and for each message that is not one."""

    on_frame: Callable[[str, Frame], None]
    on_refused: Callable[[str, str], None]


class CameraTopics:
    """Subscribes from construction to `close`, in a thread of its own."""

    def __init__(
        self,
        node: Node,
        cameras: tuple[CameraInput, ...],
        names: Mapping[str, CameraTopicNames],
        callbacks: CameraCallbacks,
        health: Health,
    ) -> None:
        self._node = node
        self.topics: list[ListenedTopic] = []
        self._thread = OwnThread("cameras", node=node)
        self._subscriptions: list[Any] = []
        for camera in cameras:
            found = names[camera.name]
            joined = _Joined(camera, callbacks, health, raw_unit_m=found.raw_unit_m)
            self._subscribe(CAMERA_COLOR, camera.name, found.rgb, joined.on_rgb)
            if camera.has_depth:
                self._subscribe(CAMERA_DEPTH, camera.name, found.depth, joined.on_depth)
        self._thread.start(self._subscriptions)

    def _subscribe(
        self, topic: PolicyTopic, camera: str, name: str, callback: Callable[[bytes], None]
    ) -> None:
        qos = profile_of(topic.quality)
        subscription = self._node.create_subscription(
            class_of(topic.type_name), name, callback, qos, callback_group=self._thread, raw=True
        )
        self._subscriptions.append(subscription)
        self.topics.append(
            ListenedTopic(
                role=topic.role.replace("NAME", camera),
                name=self._node.resolve_topic_name(name),
                type_name=topic.type_name,
                qos=qos,
            )
        )

    def close(self) -> None:
        self._thread.stop()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)


class _Joined:
    """Joins one camera's colour with its depth, if it has any."""

    def __init__(
        self,
        camera: CameraInput,
        callbacks: CameraCallbacks,
        health: Health,
        *,
        raw_unit_m: float,
    ) -> None:
        self._camera, self._callbacks, self._health = camera, callbacks, health
        self._raw_unit_m = raw_unit_m
        sync = ServiceConfig().sync
        self._pairs: Pairer[Frame, np.ndarray] = Pairer(
            tolerance_s=sync.tolerance_s, wait_s=sync.wait_s
        )

    def on_rgb(self, data: bytes) -> None:
        name = self._camera.name
        self._health.arrived(f"camera {name}")
        try:
            message = received_image(data)
            stamp_ns = ns_from_stamp(message.header.stamp)
            frame_id = checked_frame_id(message.header.frame_id)
            frame = Frame(stamp_ns=stamp_ns, frame_id=frame_id, rgb=rgb_from_message(message))
        except (EncodingError, ValueError) as error:
            self._health.dropped("picture unusable", f"camera {name}: {error}")
            self._callbacks.on_refused(name, str(error))
            return
        self._hand_over(self._pairs.poll(monotonic_ns(), flush=True))
        self._pairs.add_rgb(stamp_ns, frame, arrival_ns=monotonic_ns())
        self._hand_over(self._pairs.poll(monotonic_ns()))

    def on_depth(self, data: bytes) -> None:
        name = self._camera.name
        self._health.arrived(f"depth of {name}")
        try:
            message = received_image(data)
            depth_m = depth_from_message(message, raw_unit_m=self._raw_unit_m)
        except (EncodingError, ValueError) as error:
            self._health.dropped("depth unusable", f"camera {name}: {error}")
            return
        self._pairs.add_depth(ns_from_stamp(message.header.stamp), depth_m)
        self._hand_over(self._pairs.poll(monotonic_ns()))

    def _hand_over(self, pair: Pair[Frame, np.ndarray] | None) -> None:
        if pair is None:
            return
        frame = pair.rgb
        if pair.depth is not None:
            frame = replace(frame, depth_m=pair.depth, depth_stamp_ns=pair.depth_stamp_ns)
        self._callbacks.on_frame(self._camera.name, frame)
