"""Messages and core types: nothing is lost or turned round between the two."""

import struct
from array import array
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from robot_vision.bridge_trial import BridgeTrial, is_installed
from robot_vision.core.cameras.geometry import project
from robot_vision.core.errors import ConfigError, EncodingError
from robot_vision.core.types import Camera
from robot_vision.ros.messages.convert import (
    ImageWriter,
    camera_from_info,
    depth_from_message,
    header,
    ns_from_stamp,
    rgb_from_message,
    stamp_from_ns,
)
from robot_vision.ros.messages.live import LiveMessages, info_from_camera
from robot_vision.ros.messages.received_image import received_image
from robot_vision.ros.tools.player import restamped
from robot_vision.topics.content.camera_info import InfoWriter

CAMERA = Camera(
    frame_id="optical",
    width_px=640,
    height_px=480,
    intrinsics_px=np.array([[500.0, 0, 320.5], [0, 501.0, 239.5], [0, 0, 1]]),
    distortion=np.array([0.1, -0.05, 0.0, 0.0, 0.01]),
)


def image(pixels: np.ndarray, encoding: str) -> Image:
    height_px, width_px = pixels.shape[:2]
    return Image(
        height=height_px,
        width=width_px,
        encoding=encoding,
        step=pixels.nbytes // height_px,
        data=array("B", pixels.tobytes()),
    )


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_a_stamp_survives(stamp_ns: int) -> None:
    assert ns_from_stamp(stamp_from_ns(stamp_ns)) == stamp_ns


@given(st.integers(0, 2 * 10**18), st.integers(0, 10**17))
def test_a_serialized_message_is_restamped_and_otherwise_the_same(
    stamp_ns: int, shift_ns: int
) -> None:
    info = info_from_camera(CAMERA, stamp_ns=stamp_ns, width_px=640, height_px=480)
    moved = deserialize_message(restamped(serialize_message(info), shift_ns), CameraInfo)
    assert ns_from_stamp(moved.header.stamp) == stamp_ns + shift_ns
    moved.header.stamp = info.header.stamp
    assert moved == info


@given(
    st.integers(0, 2**31 * 10**9 - 1),
    st.text(max_size=9),
    st.sampled_from(["rgb8", "16UC1", "mono8", "bgra8", "yuv422_yuy2"]),
    st.integers(0, 1),
    st.binary(max_size=40),
)
def test_a_received_image_says_what_was_sent(
    stamp_ns: int, frame_id: str, encoding: str, bigendian: int, data: bytes
) -> None:
    sent = Image(
        height=3,
        width=5,
        encoding=encoding,
        is_bigendian=bigendian,
        step=7,
        data=array("B", data),
    )
    sent.header = header(stamp_ns, frame_id.replace("\0", ""))
    received = received_image(serialize_message(sent))
    for name in ("header", "height", "width", "encoding", "is_bigendian", "step"):
        assert getattr(received, name) == getattr(sent, name), name
    assert bytes(received.data) == data


def test_an_image_in_the_other_byte_order_is_read_too() -> None:
    text = struct.pack(">I2sxx", 2, b"c\0") + struct.pack(">II", 1, 2)
    form = struct.pack(">I6sBx", 6, b"mono8\0", 0) + struct.pack(">II2s", 2, 2, b"ab")
    received = received_image(b"\0\0\0\0" + struct.pack(">iI", 7, 9) + text + form)
    assert (received.header.stamp.sec, received.header.frame_id) == (7, "c")
    assert (received.height, received.width, received.encoding) == (1, 2, "mono8")
    assert bytes(received.data) == b"ab"


FISHEYE = replace(CAMERA, distortion=CAMERA.distortion[:4], distortion_model="equidistant")


@pytest.mark.parametrize("camera", [CAMERA, FISHEYE])
def test_a_camera_survives(camera: Camera) -> None:
    info = info_from_camera(camera, stamp_ns=5, width_px=640, height_px=480)
    assert camera_from_info(info).same_as(camera)


def test_written_info_follows_camera_size_and_stamp() -> None:
    writer = InfoWriter(LiveMessages())
    other = replace(CAMERA, intrinsics_px=CAMERA.intrinsics_px * [[2], [2], [1]])
    for camera, stamp_ns, width_px in (
        (CAMERA, 1, 640),
        (CAMERA, 2, 640),
        (CAMERA, 3, 320),
        (other, 4, 320),
    ):
        info = writer.write(camera, stamp_ns=stamp_ns, width_px=width_px, height_px=240)
        assert info == info_from_camera(
            camera, stamp_ns=stamp_ns, width_px=width_px, height_px=240
        )


@pytest.mark.parametrize("size_px", [(320, 240), (160, 120), (1280, 960)])
def test_scaled_intrinsics_see_the_same_place(size_px: tuple[int, int]) -> None:
    info = info_from_camera(CAMERA, stamp_ns=0, width_px=size_px[0], height_px=size_px[1])
    points = np.array([[0.3, -0.2, 2.0], [-0.5, 0.1, 1.0]])
    full_px = project(points, camera=CAMERA) + 0.5
    scaled_px = project(points, camera=camera_from_info(info)) + 0.5
    np.testing.assert_allclose(scaled_px / size_px, full_px / (640, 480), atol=1e-9)


@pytest.mark.parametrize("k", [[0.0] * 9, [float("nan")] * 9, [-1.0, 0, 0, 0, -1, 0, 0, 0, 1]])
def test_intrinsics_that_do_not_project_are_refused(k: list[float]) -> None:
    with pytest.raises(
        ConfigError, match=r"expected (positive focal lengths|nine finite numbers)"
    ):
        camera_from_info(CameraInfo(width=4, height=4, k=[float(v) for v in k]))


def test_a_writer_publishes_the_pixels_of_each_frame_and_follows_their_size() -> None:
    rng, writer = np.random.default_rng(0), ImageWriter()
    for shape, dtype, encoding in (
        ((4, 6, 3), np.uint8, "rgb8"),
        ((4, 6, 3), np.uint8, "rgb8"),
        ((3, 5), np.float32, "32FC1"),
        ((2, 2, 8), np.float32, "32FC8"),
    ):
        pixels = rng.integers(0, 255, shape).astype(dtype)
        message = writer.write(pixels, encoding=encoding, stamp_ns=7, frame_id="f")
        sent = deserialize_message(serialize_message(message), Image)
        assert (sent.height, sent.width, sent.encoding) == (*shape[:2], encoding)
        assert sent.step == pixels.nbytes // shape[0]
        np.testing.assert_array_equal(np.frombuffer(sent.data, dtype).reshape(shape), pixels)


def test_colour_and_depth_are_read_raw_and_compressed() -> None:
    rgb = np.random.default_rng(1).integers(0, 255, (8, 10, 3), dtype=np.uint8)
    np.testing.assert_array_equal(rgb_from_message(image(rgb, "rgb8")), rgb)
    png = cv2.imencode(".png", rgb[..., ::-1])[1]
    compressed = CompressedImage(format="png", data=array("B", png.tobytes()))
    np.testing.assert_array_equal(rgb_from_message(compressed), rgb)
    raw_mm = np.array([[0, 1500], [65535, 250]], np.uint16)
    depth_m = depth_from_message(image(raw_mm, "16UC1"), raw_unit_m=0.001)
    np.testing.assert_allclose(depth_m, [[np.nan, 1.5], [np.nan, 0.25]])


def test_an_encoding_without_a_path_names_those_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robot_vision.ros.messages.bridge.is_installed", lambda: False)
    with pytest.raises(EncodingError, match=r"'yuv9' is not supported; supported: rgb8, bgr8"):
        rgb_from_message(image(np.zeros((2, 2), np.uint8), "yuv9"))


@pytest.mark.parametrize(
    ("encoding", "channels"),
    [("rgb8", 3), ("bgr8", 3), ("rgba8", 4), ("bgra8", 4), ("mono8", 1), ("yuv422_yuy2", 2)],
)
def test_our_decoding_is_that_of_cv_bridge(encoding: str, channels: int) -> None:
    if not is_installed():
        pytest.skip("cv_bridge is not installed")
    if problem := BridgeTrial().wait().problem:
        pytest.skip(problem)
    from cv_bridge import CvBridge, CvBridgeError

    bridge = CvBridge()
    pixels = np.random.default_rng(2).integers(0, 255, (16, 20, channels), dtype=np.uint8)
    message = image(pixels, encoding)
    try:
        theirs = bridge.imgmsg_to_cv2(message, desired_encoding="rgb8")
    except CvBridgeError as error:  # ROS 1's knows fewer names
        pytest.skip(f"this cv_bridge: {error}")
    np.testing.assert_allclose(rgb_from_message(message), theirs, atol=2)
