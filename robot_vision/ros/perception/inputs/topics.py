"""The camera's topics: callbacks store the newest images, the worker takes pairs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Condition
from time import monotonic_ns, perf_counter
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

from robot_vision.codecs.header import encoded_size_px
from robot_vision.core.cameras.camera_info import Calibration
from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.convert import ImageMessage, ns_from_stamp
from robot_vision.ros.messages.live import class_of
from robot_vision.ros.messages.received_image import received_image
from robot_vision.ros.middleware.bounded import checked_frame_id
from robot_vision.ros.middleware.message_numbers import MessageNumbers, with_info
from robot_vision.ros.middleware.own_thread import OwnThread
from robot_vision.ros.middleware.qos import input_qos
from robot_vision.ros.middleware.silence import ListenedTopic
from robot_vision.ros.perception.inputs.calibrations import Calibrations
from robot_vision.sync.one_camera import TWO_CAMERAS, OneCamera
from robot_vision.sync.pairing import Pairer

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
_DEPTH_SUFFIX = {"raw": "", "compressed": "/compressedDepth", "png": "/compressed"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Capture:
    """A colour image taken for processing, its depth if there is one, and the latest calibrations.

    `transport_s` is the time from its stamp to its arrival; `arrived_s` is on `perf_counter`.
    """

    stamp_ns: int
    rgb: ImageMessage
    depth: ImageMessage | None
    depth_stamp_ns: int | None
    why_no_depth: str
    calibration: Calibration | None
    depth_calibration: Calibration | None
    transport_s: float
    arrived_s: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Arrival:
    message: ImageMessage
    transport_s: float
    arrived_s: float


def input_topics(node: Node, config: NodeConfig) -> list[ListenedTopic]:
    """The node's input topics; transports append to the remapped name, as in image_transport."""
    qos = input_qos(config.input)
    compressed = config.input.rgb_transport == "compressed"
    rgb = node.resolve_topic_name("rgb") + ("/compressed" if compressed else "")
    image_type = COMPRESSED if compressed else IMAGE
    topics = [ListenedTopic(role="rgb", name=rgb, type_name=image_type, qos=qos)]
    if config.input.depth_transport != "none":
        suffix = _DEPTH_SUFFIX[config.input.depth_transport]
        depth = node.resolve_topic_name("depth") + suffix
        image_type = COMPRESSED if suffix else IMAGE
        topics.append(ListenedTopic(role="depth", name=depth, type_name=image_type, qos=qos))
    info = node.resolve_topic_name("camera_info")
    topics.append(ListenedTopic(role="camera_info", name=info, type_name=CAMERA_INFO, qos=qos))
    return topics


class Inputs:
    """Subscribes from construction to `close`; `wait` returns the next frame to process."""

    def __init__(self, node: Node, config: NodeConfig, health: Health) -> None:
        self._node = node
        self._max_future_s = config.diagnostics.max_future_s
        self._health = health
        self._clock = node.get_clock()
        self._ready = Condition()
        self._pairer = Pairer[_Arrival, ImageMessage](
            tolerance_s=config.sync.tolerance_s, wait_s=config.sync.wait_s
        )
        self._last_stamp_ns: dict[str, int] = {}
        self.topics = input_topics(node, config)
        health.start(tuple(topic.role for topic in self.topics))
        self._thread = OwnThread("camera", node=node)
        self._numbers = {topic.role: MessageNumbers() for topic in self.topics}
        self._cameras = {"rgb": OneCamera(), "depth": OneCamera()}
        self.calibrations = Calibrations(
            node,
            health,
            group=self._thread,
            qos=input_qos(config.input),
            with_depth=config.input.depth_transport != "none",
        )
        callbacks: dict[str, Callable[..., None]] = {
            "rgb": with_info(partial(self._counted, "rgb", self._on_rgb)),
            "depth": with_info(partial(self._counted, "depth", self._on_depth)),
            "camera_info": self.calibrations.repeated(),
        }
        self._subscriptions = [
            node.create_subscription(
                class_of(topic.type_name),
                topic.name,
                callbacks[topic.role],
                topic.qos,
                raw=topic.type_name in (IMAGE, CAMERA_INFO),
                callback_group=self._thread,
                event_callbacks=self._events(topic),
            )
            for topic in self.topics
        ]
        self._subscriptions += self.calibrations.subscriptions
        self._thread.start(self._subscriptions)

    def close(self) -> None:
        self._thread.stop()
        self.calibrations.close()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        with self._ready:
            self._ready.notify_all()

    def use(self, config: NodeConfig) -> None:
        """Pair by the new parameters, including the frame that waits for its depth."""
        self._max_future_s = config.diagnostics.max_future_s
        with self._ready:
            self._pairer.use(tolerance_s=config.sync.tolerance_s, wait_s=config.sync.wait_s)
            self._ready.notify()

    @property
    def said_once(self) -> tuple[str, ...]:
        """Topics that may be quiet because their publishers latch."""
        return ("camera_info",) if self.calibrations.is_latched else ()

    @property
    def worst_offset_s(self) -> float:
        """Largest stamp difference seen between a colour frame and the depth nearest to it."""
        return self._pairer.worst_offset_ns / 1e9

    def wait(self, timeout_s: float) -> Capture | None:
        """The next frame to process, or None if none is ready within the time."""
        deadline_ns = monotonic_ns() + round(timeout_s * 1e9)
        with self._ready:
            while (pair := self._pairer.poll(now_ns := monotonic_ns())) is None:
                if now_ns >= deadline_ns:
                    return None
                until_ns = min(deadline_ns, self._pairer.waiting_until_ns() or deadline_ns)
                self._ready.wait(max(until_ns - now_ns, 0) / 1e9)
        arrival: _Arrival = pair.rgb
        return Capture(
            stamp_ns=pair.stamp_ns,
            rgb=arrival.message,
            depth=pair.depth,
            depth_stamp_ns=pair.depth_stamp_ns,
            why_no_depth=pair.reason,
            calibration=self.calibrations.color,
            depth_calibration=self.calibrations.depth,
            transport_s=arrival.transport_s,
            arrived_s=arrival.arrived_s,
        )

    def _events(self, topic: ListenedTopic) -> SubscriptionEventCallbacks:
        def on_lost(status: Any) -> None:
            if self._numbers[topic.role].are_sure:
                return  # gaps show these losses, and further ones
            for _ in range(status.total_count_change):
                self._health.dropped(
                    f"{topic.role} lost in transport", f"the middleware lost it on {topic.name}"
                )

        return SubscriptionEventCallbacks(message_lost=on_lost)

    def _counted(
        self,
        role: str,
        callback: Callable[[bytes | CompressedImage], None],
        raw: bytes | CompressedImage,
        info: Mapping[str, Any],
    ) -> None:
        """Take an image, and count earlier ones that never arrived."""
        for _ in range(self._numbers[role].missed(info)):
            why = "a newer one replaced it before it was taken, or it was lost in transit"
            self._health.dropped(f"{role} lost in transport", why)
        callback(raw)

    def _on_rgb(self, raw: bytes | CompressedImage) -> None:
        arrived_s, now_ns = perf_counter(), self._clock.now().nanoseconds
        message = self._image("rgb", raw)
        if message is None:
            return
        stamp_ns = ns_from_stamp(message.header.stamp)
        if not self._usable("rgb", message, now_ns):
            return
        transport_s = seconds_between(stamp_ns, now_ns)
        arrival = _Arrival(message=message, transport_s=transport_s, arrived_s=arrived_s)
        with self._ready:
            superseded = self._pairer.counts["superseded"]
            self._pairer.add_rgb(stamp_ns, arrival, arrival_ns=monotonic_ns())
            superseded = self._pairer.counts["superseded"] - superseded
            self._ready.notify()
        if superseded:
            self._health.dropped("superseded", "a newer frame came before this one was started")

    def _on_depth(self, raw: bytes | CompressedImage) -> None:
        message = self._image("depth", raw)
        if message is None:
            return
        stamp_ns = ns_from_stamp(message.header.stamp)
        if not self._usable("depth", message, self._clock.now().nanoseconds):
            return
        with self._ready:
            self._pairer.add_depth(stamp_ns, message)
            self._ready.notify()

    def _image(self, role: str, raw: bytes | CompressedImage) -> ImageMessage | None:
        try:
            return received_image(raw) if isinstance(raw, bytes) else raw
        except EncodingError as error:
            self._health.arrived(role)
            self._health.dropped(f"{role} unreadable", str(error))
            return None

    def _usable(self, role: str, message: ImageMessage, now_ns: int) -> bool:
        self._health.arrived(role)
        stamp_ns = ns_from_stamp(message.header.stamp)
        try:
            checked_frame_id(message.header.frame_id)
        except ValueError as error:
            self._health.dropped(f"{role} unusable", str(error))
            return False
        if stamp_ns == 0:
            self._health.dropped(
                f"{role} without stamp", "header.stamp is 0: the driver must set the capture time"
            )
            return False
        if why := self._other_camera(role, message, stamp_ns):
            self._health.dropped(TWO_CAMERAS, f"{role}: {why}")
            return False
        last_ns = self._last_stamp_ns.get(role)
        self._last_stamp_ns[role] = stamp_ns
        if stamp_ns == last_ns:
            self._health.dropped(f"{role} repeated", f"stamp {stamp_ns} ns came twice")
            return False
        if last_ns is not None and stamp_ns < last_ns:
            back_s = seconds_between(stamp_ns, last_ns)
            self._health.noted("stamps went back", f"{role} by {back_s:.3f} s: pairing restarted")
        ahead_s = seconds_between(now_ns, stamp_ns)
        if ahead_s > self._max_future_s:
            self._health.noted(
                "stamp in the future",
                f"{role} is {ahead_s:.3f} s ahead of this node's clock: synchronise the clocks"
                + (" or publish /clock (use_sim_time is set)" if now_ns == 0 else ""),
            )
        return True

    def _other_camera(self, role: str, message: ImageMessage, stamp_ns: int) -> str:
        if isinstance(message, CompressedImage):
            size_px = encoded_size_px(message.data)
        else:
            size_px = (message.width, message.height)
        return self._cameras[role].problem(
            message.header.frame_id, size_px=size_px, stamp_ns=stamp_ns
        )
