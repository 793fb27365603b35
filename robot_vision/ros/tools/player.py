"""Plays a recording's camera through real topics, as a camera would: stamped now, in real time."""

import struct
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated

import rclpy
import sensor_msgs.msg
import typer
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.utilities import ok

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import ConfigError
from robot_vision.replay.reading.messages import Problems, RawMessage
from robot_vision.replay.reading.recording import Recording
from robot_vision.ros.middleware.dds_profile import use_shared_memory_profile

_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
_TYPES = {
    f"sensor_msgs/msg/{name}": getattr(sensor_msgs.msg, name)
    for name in ("Image", "CompressedImage", "CameraInfo")
}
# Readers appear one by one, and their side needs a little longer than this one.
_SETTLE_S = 1.0
_LAST_SENT_S = 1.0


def camera_messages(path: Path) -> Iterator[RawMessage]:
    """Images and intrinsics of a rosbag2 recording, in the order of recording."""
    recording = Recording(path)
    if recording.is_ros1:
        raise ConfigError(f"{path} is a ROS 1 bag; expected a rosbag2 recording")
    return (m for m in recording.messages(Problems()) if m.msgtype in _TYPES)


def restamped(data: bytes, shift_ns: int) -> bytes:
    """The serialized message with its header's stamp moved by `shift_ns`.

    CDR: four bytes with the byte order, then the stamp's seconds (i32), nanoseconds (u32).
    """
    time = struct.Struct("<iI" if data[1] & 1 else ">iI")
    sec, nanosec = time.unpack_from(data, 4)
    moved = divmod(sec * NS_PER_S + nanosec + shift_ns, NS_PER_S)
    return data[:4] + time.pack(*moved) + data[4 + time.size :]


class Player:
    """Publishes a recording's camera topics under their recorded names."""

    def __init__(self, node: Node, path: Path) -> None:
        self._node = node
        self._path = path
        self._publishers: dict[str, Publisher] = {}
        self.published: Counter[str] = Counter()
        for message in camera_messages(path):
            if message.topic not in self._publishers:
                kind = _TYPES[message.msgtype]
                self._publishers[message.topic] = node.create_publisher(kind, message.topic, _QOS)

    def wait_for_readers(self, timeout_s: float, *, settle_s: float) -> bool:
        """Wait for subscribers until none is added for `settle_s`; whether in time."""
        deadline_s = monotonic() + timeout_s
        readers, since_s = 0, monotonic()
        while monotonic() < deadline_s and self._node.context.ok():
            now = sum(p.get_subscription_count() for p in self._publishers.values())
            if now != readers:
                readers, since_s = now, monotonic()
            if readers and monotonic() - since_s > settle_s:
                return True
            sleep(0.05)
        return False

    def play(self, *, speed: float) -> None:
        """Play once, at `speed` times the recorded pace; stamps begin now."""
        first_ns = None
        start_s, shift_ns = monotonic(), 0
        for message in camera_messages(self._path):
            if first_ns is None:
                first_ns, start_s = message.log_ns, monotonic()
                shift_ns = self._node.get_clock().now().nanoseconds - first_ns
            offset_ns = round((message.log_ns - first_ns) * (1 / speed - 1))
            due_s = start_s + (message.log_ns - first_ns) / NS_PER_S / speed
            sleep(max(due_s - monotonic(), 0))
            if not self._node.context.ok():
                return
            moved = restamped(message.data, shift_ns + offset_ns)
            self._publishers[message.topic].publish(moved)
            self.published[message.topic] += 1


def main(
    path: Annotated[Path, typer.Argument(help="rosbag2 recording")],
    speed: Annotated[float, typer.Option(help="times the recorded pace", min=0.01)] = 1.0,
    loops: Annotated[int, typer.Option(help="times through; 0 plays until stopped")] = 1,
    wait_s: Annotated[float, typer.Option(help="longest wait for a subscriber", min=0)] = 60.0,
    settle_s: Annotated[
        float, typer.Option(help="play when for so long no more subscribed", min=0)
    ] = _SETTLE_S,
) -> None:
    """Play a recording's camera topics over ROS 2."""
    use_shared_memory_profile()
    rclpy.init(args=sys.argv[:1])
    player = Player(rclpy.create_node("player"), path)
    player.wait_for_readers(wait_s, settle_s=settle_s)
    played = 0
    with suppress(KeyboardInterrupt):
        while ok() and (loops == 0 or played < loops):
            player.play(speed=speed)
            played += 1
        sleep(_LAST_SENT_S)
    typer.echo(" ".join(f"{topic}:{count}" for topic, count in player.published.items()))


if __name__ == "__main__":
    typer.run(main)
