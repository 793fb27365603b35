"""A camera for measurements: raw colour and depth, stamped and published at a fixed rate."""

from itertools import cycle
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated

import numpy as np
import rclpy
import typer
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rclpy.utilities import ok
from sensor_msgs.msg import CameraInfo, Image

from robot_vision.core.types import Frame
from robot_vision.replay.reading.example_frames import load_frames
from robot_vision.ros.messages.convert import ImageWriter
from robot_vision.ros.messages.live import info_from_camera
from robot_vision.ros.middleware.dds_profile import use_shared_memory_profile
from robot_vision.ros.tools.player import restamped

_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
_KEPT_FRAMES = 60
_DISCOVERY_S = 1.0
_TOPICS = {"rgb": Image, "depth": Image, "camera_info": CameraInfo}


def serialized(frame: Frame) -> dict[str, bytes]:
    """The frame's messages by topic, all with stamp 0."""
    writer, header = ImageWriter(), {"stamp_ns": 0, "frame_id": frame.frame_id}
    messages = {"rgb": serialize_message(writer.write(frame.rgb, encoding="rgb8", **header))}
    if frame.depth_m is not None:
        raw_mm = np.nan_to_num(frame.depth_m * 1000).astype(np.uint16)
        writer = ImageWriter()
        messages["depth"] = serialize_message(writer.write(raw_mm, encoding="16UC1", **header))
    if frame.camera is not None:
        height_px, width_px = frame.rgb.shape[:2]
        info = info_from_camera(frame.camera, stamp_ns=0, width_px=width_px, height_px=height_px)
        messages["camera_info"] = serialize_message(info)
    return messages


def publish(node: Node, frames: list[dict[str, bytes]], *, fps: float, seconds: float) -> int:
    """Publish `frames` over and over at `fps` to the first subscriber; returns how many."""
    publishers = {
        topic: node.create_publisher(kind, topic, _QOS) for topic, kind in _TOPICS.items()
    }
    while ok() and not publishers["rgb"].get_subscription_count():
        sleep(0.05)
    sleep(_DISCOVERY_S)
    start_s, count = monotonic(), 0
    for messages in cycle(frames):
        due_s = start_s + count / fps
        if due_s - start_s >= seconds or not ok():
            break
        sleep(max(due_s - monotonic(), 0))
        stamp_ns = node.get_clock().now().nanoseconds
        for topic, data in messages.items():
            publishers[topic].publish(restamped(data, stamp_ns))
        count += 1
    return count


def main(
    seconds: Annotated[float, typer.Option(help="how long to publish", min=0)] = 60.0,
    fps: Annotated[float, typer.Option(help="frames per second", min=0.1)] = 30.0,
    recording: Annotated[
        Path | None, typer.Option(help="frames from here; else the shipped one, scaled")
    ] = None,
    width: Annotated[int, typer.Option(help="pixels, without a recording", min=1)] = 640,
    height: Annotated[int, typer.Option(help="pixels, without a recording", min=1)] = 480,
) -> None:
    """Publish rgb, depth and camera_info; prints the number of frames."""
    frames = load_frames(recording, count=_KEPT_FRAMES, width_px=width, height_px=height)
    use_shared_memory_profile()
    rclpy.init(args=["camera"])
    node = rclpy.create_node("camera")
    count = publish(node, [serialized(frame) for frame in frames], fps=fps, seconds=seconds)
    sleep(_DISCOVERY_S)
    typer.echo(count)


if __name__ == "__main__":
    typer.run(main)
