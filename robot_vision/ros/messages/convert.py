"""Images, cameras and stamps between ROS messages and the core's types."""

from array import array
from typing import Any, TypeAlias

import numpy as np
from builtin_interfaces.msg import Time
from jaxtyping import Float32, Shaped, UInt8
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from robot_vision.codecs.compressed import decode_compressed, decode_compressed_depth
from robot_vision.codecs.depth import decode_depth
from robot_vision.codecs.image import decode_image
from robot_vision.codecs.layout import UnsupportedEncodingError
from robot_vision.core.cameras.camera_info import calibration_of, camera_of
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS, InputLimits
from robot_vision.core.types import Camera
from robot_vision.ros.messages.bridge import rgb_by_bridge
from robot_vision.ros.messages.received_image import ReceivedImage

ImageMessage: TypeAlias = Image | ReceivedImage | CompressedImage


def ns_from_stamp(stamp: Time) -> int:
    """Nanoseconds since the epoch of the stamping clock."""
    return stamp.sec * NS_PER_S + stamp.nanosec


def stamp_from_ns(stamp_ns: int) -> Time:
    sec, nanosec = divmod(stamp_ns, NS_PER_S)
    return Time(sec=sec, nanosec=nanosec)


def header(stamp_ns: int, frame_id: str) -> Header:
    return Header(stamp=stamp_from_ns(stamp_ns), frame_id=frame_id)


def camera_from_info(info: CameraInfo) -> Camera:
    """Camera of a raw image of the size in its `CameraInfo`.

    Raises `CameraError` if its numbers are not those of a lens.
    """
    return camera_of(calibration_of(info)).camera


def rgb_from_message(
    message: ImageMessage, *, limits: InputLimits = DEFAULT_LIMITS
) -> UInt8[np.ndarray, "h w 3"]:
    """RGB of a colour image. Raises `EncodingError`, also for one that is larger than `limits`.

    Encodings that we do not decode go through `cv_bridge` if it is installed and works.
    """
    if isinstance(message, CompressedImage):
        return decode_compressed(message.data, format=message.format, limits=limits)
    try:
        return decode_image(message.data, **_layout(message), limits=limits)
    except UnsupportedEncodingError as error:
        return rgb_by_bridge(message, unsupported=error, limits=limits)


def depth_from_message(
    message: ImageMessage,
    *,
    raw_unit_m: float,
    float_unit_m: float = 1.0,
    limits: InputLimits = DEFAULT_LIMITS,
) -> Float32[np.ndarray, "h w"]:
    """Depth in metres, NaN where invalid. Raises `EncodingError`, as `rgb_from_message` does."""
    how: dict[str, Any] = {
        "raw_unit_m": raw_unit_m,
        "float_unit_m": float_unit_m,
        "limits": limits,
    }
    if isinstance(message, CompressedImage):
        return decode_compressed_depth(message.data, format=message.format, **how)
    return decode_depth(message.data, **_layout(message), **how)


def _layout(message: Image | ReceivedImage) -> dict[str, Any]:
    return {
        "encoding": message.encoding,
        "width_px": message.width,
        "height_px": message.height,
        "step": message.step,
        "is_bigendian": bool(message.is_bigendian),
    }


class ImageWriter:
    """One `Image` message that is filled again for every frame.

    Its memory is an `array` viewed through NumPy: filling costs one copy, and rclpy accepts an
    `array` as it is, but checks a NumPy array or memoryview byte by byte (60 to 300 ms).
    `publish` serializes before it returns, so the memory is free for the next frame.
    """

    def __init__(self) -> None:
        self.message = Image()
        self._pixels = np.zeros(0, np.uint8)

    def write(
        self, pixels: Shaped[np.ndarray, "h w *c"], *, encoding: str, stamp_ns: int, frame_id: str
    ) -> Image:
        """The message with `pixels` [H, W] or [H, W, C]; valid until the next call."""
        if self._pixels.shape != pixels.shape or self._pixels.dtype != pixels.dtype:
            self._allocate(pixels)
        self._pixels[...] = pixels
        self.message.encoding = encoding
        self.message.header = header(stamp_ns, frame_id)
        return self.message

    def _allocate(self, pixels: np.ndarray) -> None:
        height_px, width_px = pixels.shape[:2]
        self.message.height, self.message.width = height_px, width_px
        self.message.step = pixels.nbytes // height_px
        self.message.data = array("B", bytes(pixels.nbytes))
        # The message may have copied the array: view the one that it holds.
        self._pixels = np.frombuffer(self.message.data, pixels.dtype).reshape(pixels.shape)
