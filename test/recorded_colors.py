"""Bags for tests: images of one grey each, which identifies them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer

from robot_vision.replay.reading.messages import typestore
from robot_vision.replay.writing.ros_types import make

IMAGE = "sensor_msgs/msg/Image"
START_NS, STEP_NS = 1_700_000_000_000_000_000, 33_333_333
WIDTH_PX, HEIGHT_PX = 60, 40


def write_colors(
    folder: Path, topics: Mapping[str, Sequence[int]], storage: StoragePlugin
) -> Path:
    """A rosbag2 recording with an image for each grey of each topic."""
    store = typestore(is_ros1=False)
    with Writer(folder, version=9, storage_plugin=storage) as writer:
        for topic, greys in topics.items():
            connection = writer.add_connection(topic, IMAGE, typestore=store)
            for number, grey in enumerate(greys):
                stamp_ns = START_NS + number * STEP_NS
                message = make(IMAGE, _image(stamp_ns, grey))
                writer.write(connection, stamp_ns, store.serialize_cdr(message, IMAGE))
    return folder


def _image(stamp_ns: int, grey: int) -> dict[str, object]:
    return {
        "header": {
            "stamp": {"sec": stamp_ns // 10**9, "nanosec": stamp_ns % 10**9},
            "frame_id": "camera",
        },
        "height": HEIGHT_PX,
        "width": WIDTH_PX,
        "encoding": "rgb8",
        "is_bigendian": 0,
        "step": 3 * WIDTH_PX,
        "data": np.full(3 * WIDTH_PX * HEIGHT_PX, grey, np.uint8),
    }
