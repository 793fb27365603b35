"""ROS's own messages for the makers of `robot_vision.topics`."""

from array import array
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Shaped
from sensor_msgs.msg import CameraInfo, Image

from robot_vision.core.types import Camera
from robot_vision.ros.messages.convert import ImageWriter
from robot_vision.topics.content.camera_info import new_info


class LiveMessages:
    """Messages to publish; each image's memory is filled again for every frame."""

    def __init__(self) -> None:
        self._images: dict[str, ImageWriter] = {}

    def new(self, type_name: str) -> Any:
        message_class = class_of(type_name)
        assert message_class is not None, f"{type_name} is not installed"
        return message_class()

    def floats(self, values: Sequence[float]) -> Sequence[float]:
        return values

    def memory(self, size: int) -> array:
        return array("B", bytes(size))

    def image(
        self,
        name: str,
        pixels: Shaped[np.ndarray, "h w *c"],
        *,
        encoding: str,
        stamp_ns: int,
        frame_id: str,
    ) -> Image:
        if name not in self._images:
            self._images[name] = ImageWriter()
        return self._images[name].write(
            pixels, encoding=encoding, stamp_ns=stamp_ns, frame_id=frame_id
        )


@lru_cache(maxsize=64)
def class_of(type_name: str) -> Any | None:
    """The class of "std_msgs/msg/Header"; None where its package is not installed."""
    package, _, name = type_name.split("/")
    try:
        return getattr(import_module(f"{package}.msg"), name)
    except ImportError:
        return None


def info_from_camera(
    camera: Camera, *, stamp_ns: int, width_px: int, height_px: int
) -> CameraInfo:
    """`CameraInfo` of `camera` seen through an image of another resolution."""
    return new_info(
        LiveMessages(), camera, stamp_ns=stamp_ns, width_px=width_px, height_px=height_px
    )
