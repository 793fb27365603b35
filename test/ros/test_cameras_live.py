"""Calibrations over real DDS: latched or repeated, of colour and of depth, and what they say."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import numpy as np
import pytest
import rclpy
from built_messages import build_tf2_msgs
from geometry_msgs.msg import TransformStamped
from native_bundle import HEIGHT_PX, WIDTH_PX
from rclpy.context import Context
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_harness import CAMERA, FRAME_ID, Rig, rig, wait_for_readers
from sensor_msgs.msg import CameraInfo, Image

from robot_vision.ros.messages.live import info_from_camera
from robot_vision.ros.middleware.qos import LATCHED_QOS
from robot_vision.ros.perception.inputs import calibrations

pytestmark = pytest.mark.ros


def info(**changes: Any) -> CameraInfo:
    message = info_from_camera(CAMERA, stamp_ns=1, width_px=WIDTH_PX, height_px=HEIGHT_PX)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@contextmanager
def publishing(message: Any, topic: str, qos: QoSProfile, **more: Any) -> Iterator[Any]:
    """A driver that publishes once, now, and is there for others; yields its publisher."""
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("driver", context=context)
    publisher = node.create_publisher(
        type(message), topic, qos, event_callbacks=more.get("events")
    )
    publisher.publish(message)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = Thread(target=lambda: executor.spin(), daemon=True)
    thread.start()
    try:
        yield publisher
    finally:
        executor.shutdown()
        thread.join()
        node.destroy_node()
        context.try_shutdown()


def placed(r: Rig) -> dict[str, Any]:
    """The cube of a frame, as soon as it has a place: intrinsics take their time."""
    found: list[dict[str, Any]] = []

    def has_place() -> bool:
        found.extend(r.result_of(info=False)["objects"])
        return found[-1]["position_m"] is not None

    r.wait_for(has_place)
    return found[-1]


def test_a_camera_info_that_was_latched_before_the_node_began_is_heard(
    native_bundle: Path,
) -> None:
    with (
        publishing(info(), "camera_info", LATCHED_QOS),
        rig(model=native_bundle, diagnostics__silent_after_s=0.3) as r,
    ):
        wait_for_readers(r)
        assert placed(r)["position_m"] == pytest.approx([0, 0, 1.5], abs=0.05)
        sleep(1.0)
        r.forget_said()
        r.wait_until_said("inputs", "rgb: ")  # nothing comes of it, which is said
        assert "camera_info:" not in r.monitor.heard.status["perception: inputs"].message


def test_a_driver_that_does_not_latch_gets_no_request_that_it_cannot_meet(
    native_bundle: Path,
) -> None:
    """Each such request is a warning in the driver's log."""
    warned: list[Any] = []
    events = PublisherEventCallbacks(incompatible_qos=warned.append)
    driver = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    with (
        publishing(info(), "camera_info", driver, events=events),
        publishing(info(), "depth_camera_info", driver, events=events),
        rig(model=native_bundle) as r,
    ):
        wait_for_readers(r)
        sleep(1.0)
    assert warned == []


def test_k_of_zeros_and_a_sound_p_give_3_d(native_bundle: Path) -> None:
    with rig(model=native_bundle) as r:
        wait_for_readers(r)
        r.camera.info.publish(info(k=np.zeros(9)))
        assert placed(r)["position_m"] == pytest.approx([0, 0, 1.5], abs=0.05)
        r.wait_for(lambda: r.values("inputs").get("degraded: intrinsics read") == "1")


def test_depth_of_other_intrinsics_is_registered_to_colour(native_bundle: Path) -> None:
    k = info().k.copy()
    k[2] += 8
    with publishing(info(k=k), "depth_camera_info", LATCHED_QOS), rig(model=native_bundle) as r:
        wait_for_readers(r)
        registered = ("depth registered to colour", "other intrinsics")
        r.wait_for(lambda: bool(r.result_of()) and r.has_said("inputs", *registered))


@pytest.fixture(scope="module")
def tf2_msgs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The messages of /tf, of ROS or built here: then for this module alone."""
    if find_spec("tf2_msgs") is not None:
        yield import_module("tf2_msgs.msg")
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(build_tf2_msgs(tmp_path_factory.mktemp("messages"))))
        yield import_module("tf2_msgs.msg")
    for name in [name for name in sys.modules if name.partition(".")[0] == "tf2_msgs"]:
        del sys.modules[name]


class OfAnotherFrame:
    """A publisher of depth from a camera that sits beside colour's."""

    def __init__(self, publisher: Any) -> None:
        self._publisher = publisher

    def publish(self, message: Image) -> None:
        message.header.frame_id = "depth_optical"
        self._publisher.publish(message)


def test_depth_of_another_place_is_registered_by_static_transforms(
    native_bundle: Path, tf2_msgs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrations, "TFMessage", tf2_msgs.TFMessage)
    depth_info = info()
    depth_info.header.frame_id = "depth_optical"
    behind = TransformStamped(child_frame_id="depth_optical")
    behind.header.frame_id = FRAME_ID
    behind.transform.translation.z = 0.2
    with (
        publishing(depth_info, "depth_camera_info", LATCHED_QOS),
        rig(model=native_bundle) as r,
    ):
        r.camera.depth = OfAnotherFrame(r.camera.depth)
        wait_for_readers(r)
        (cube,) = r.result_of()["objects"]
        assert cube["position_m"] is None  # by which way it sits there nobody said yet
        with publishing(tf2_msgs.TFMessage(transforms=[behind]), "/tf_static", LATCHED_QOS):
            r.wait_for(lambda: r.result_of()["objects"][0]["position_m"] is not None)
            (cube,) = r.result_of()["objects"]
    assert cube["position_m"] == pytest.approx([0, 0, 1.7], abs=0.05)


def test_a_turned_camera_speaks_in_a_frame_of_its_own(native_bundle: Path) -> None:
    with rig(model=native_bundle, camera__rotate=180) as r:
        wait_for_readers(r)
        result = r.result_of()
        assert result["frame_id"] == f"{FRAME_ID}_rotated_180"
        (cube,) = result["objects"]
        assert cube["position_m"] == pytest.approx([0, 0, 1.5], abs=0.05)
        changed = r.set_parameter("camera.rotate", 90)
        assert not changed.successful
        assert "applied when the node is configured" in changed.reason


def test_images_of_a_second_camera_on_the_topic_are_left_out(native_bundle: Path) -> None:
    half_px = WIDTH_PX // 2
    with rig(model=native_bundle) as r:
        wait_for_readers(r)
        half = {"width": half_px, "step": 3 * half_px, "data": bytes(3 * half_px * HEIGHT_PX)}

        def is_noticed() -> bool:
            for size in ({}, half):
                r.camera.send(**size)
                r.monitor.spin(0.1)
            return r.has_said("inputs", "two cameras on one topic", "left out")

        r.wait_for(is_noticed)
