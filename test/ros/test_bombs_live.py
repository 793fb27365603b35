"""What a stranger publishes is weighed before it is decoded, and reported; live as in replay."""

from array import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from robot_vision.core.cameras.camera_info import calibration_of
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.convert import header
from robot_vision.ros.messages.received_image import received_image
from robot_vision.ros.perception.inputs.frames import FrameBuilder
from robot_vision.ros.perception.inputs.topics import Capture

WIDTH_PX, HEIGHT_PX = 64, 48


def image(width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> Image:
    return Image(
        header=header(1, "c"),
        width=width_px,
        height=height_px,
        encoding="rgb8",
        step=3 * WIDTH_PX,
        data=array("B", bytes(3 * WIDTH_PX * HEIGHT_PX)),
    )


def info(fx_px: float, *, width_px: int = WIDTH_PX) -> CameraInfo:
    k = [fx_px, 0.0, 32.0, 0.0, fx_px, 24.0, 0.0, 0.0, 1.0]
    return CameraInfo(header=header(1, "c"), width=width_px, height=HEIGHT_PX, k=k)


def capture(rgb: Image | CompressedImage, camera_info: CameraInfo | None = None) -> Capture:
    return Capture(
        stamp_ns=1,
        rgb=rgb,
        depth=None,
        depth_stamp_ns=None,
        why_no_depth="no_depth",
        calibration=None if camera_info is None else calibration_of(camera_info),
        depth_calibration=None,
        transport_s=0.0,
        arrived_s=0.0,
    )


def large_jpeg() -> CompressedImage:
    jpeg = bytearray(cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes())
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = bytes([0x75, 0x30, 0x75, 0x30])  # 30000 × 30000
    return CompressedImage(header=header(1, "c"), format="jpeg", data=array("B", jpeg))


def test_a_picture_bomb_costs_its_frame_only() -> None:
    frames = FrameBuilder(NodeConfig(), Health())
    with pytest.raises(EncodingError, match=r"30000×30000 px.*limits.image_mpx"):
        frames.build(capture(large_jpeg()))
    assert frames.build(capture(image())).rgb.shape == (48, 64, 3)


def test_limits_are_the_node_s_parameters() -> None:
    config = with_values(NodeConfig(), {"limits.image_mpx": 0.001})
    with pytest.raises(EncodingError, match=r"64×48 px; at most 0.001 megapixels"):
        FrameBuilder(config, Health()).build(capture(image()))


@pytest.mark.parametrize("size", [(2**32 - 1, 2**32 - 1), (0, 0), (64, 2**31), (2**31, 1)])
def test_raw_images_of_impossible_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(EncodingError):
        FrameBuilder(NodeConfig(), Health()).build(capture(image(*size)))


@pytest.mark.parametrize("fx_px", [1e300, -50.0, float("nan"), 1e-9, 0.0, float("inf")])
def test_implausible_intrinsics_are_unknown_and_reported(fx_px: float) -> None:
    health = Health()
    frames = FrameBuilder(NodeConfig(), health)
    assert frames.build(capture(image(), info(50.0))).camera is not None
    assert frames.build(capture(image(), info(fx_px))).camera is None
    note = health.report().notes["intrinsics invalid"]
    assert note.total == 1
    assert "camera_info has" in note.example
    assert "expected" in note.example
    assert frames.build(capture(image(), info(50.0))).camera is not None


def test_a_camera_with_half_a_size_is_unknown() -> None:
    health = Health()
    frame = FrameBuilder(NodeConfig(), health).build(capture(image(), info(50.0, width_px=0)))
    assert frame.camera is None
    assert "an image of 0×48 px" in health.report().notes["intrinsics invalid"].example


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x00\x01",
        b"\x00\x01\x00\x00" + bytes(8) + b"\xff" * 40,
        b"\x00\x01\x00\x00" + bytes(8) + b"\x03\x00\x00\x00\xff\xfe\x00",
        b"\x07\x09" + bytes(20),
    ],
)
def test_bytes_that_are_not_an_image_are_an_encoding_error(message: bytes) -> None:
    with pytest.raises(EncodingError, match="not a sensor_msgs/Image"):
        received_image(message)
