"""Perceptions from topics are those that the node had, but for what topics do not carry."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from native_bundle import HEIGHT_PX, WIDTH_PX
from policy_rig import Surroundings, ros_arguments, served, surroundings
from rclpy.context import Context
from ros_harness import CAMERA
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import String

from robot_vision.core.cameras.geometry import transform_from_quaternion
from robot_vision.core.results.objects import json_of, objects_of
from robot_vision.core.types import Perception
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.live import info_from_camera
from robot_vision.ros.middleware.qos import LATCHED_QOS
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.ros.policy.inputs.perception_topics import PerceptionTopics
from robot_vision.ros.policy.inputs.perceptions import PerceptionReader

pytestmark = pytest.mark.ros

BASE_FROM_CAMERA = transform_from_quaternion(
    np.array([0.45, 0.1, 1.55]), np.array([0.9, 0.2, -0.1, 0.3])
)
TRACK_FIELDS = (
    "track_id",
    "state",
    "class_id",
    "box_xyxy_px",
    "score",
    "position_in_camera_m",
    "position_covariance_m2",
    "velocity_in_camera_mps",
    "velocity_covariance_m2ps2",
    "size_m",
    "age_s",
    "unseen_s",
)


class Both:
    """The same frames as the process hands them over, and as they are rebuilt from topics."""

    def __init__(self, around: Surroundings, seeing: PerceptionNode, *, source: str) -> None:
        self.direct: dict[int, Perception] = {}
        self.rebuilt: dict[int, Perception] = {}
        self.health = Health()
        seeing.add_listener(self._on_direct)
        # Objects in the base frame, as from a perception node with a target frame.
        self._in_base = around.node.create_publisher(String, "in_base/objects/json", 10)
        self.topics = PerceptionTopics(
            around.node,
            perception=source,
            reader=PerceptionReader(
                around.node,
                class_names=("cube", "cup"),
                base_frame="base",
                base_from_camera=lambda _frame_id, _stamp_ns: BASE_FROM_CAMERA,
                health=self.health,
            ),
            on_perception=self._on_rebuilt,
            health=self.health,
        )

    def _on_direct(self, perception: Perception, stage_s: Mapping[str, float]) -> None:
        self.direct[perception.stamp_ns] = perception
        objects = objects_of(perception, target_frame="base", target_from_camera=BASE_FROM_CAMERA)
        text = json_of(objects, perception, age_s=0.0, stage_s=stage_s)
        self._in_base.publish(String(data=text))

    def _on_rebuilt(self, perception: Perception, _: Mapping[str, float]) -> None:
        self.rebuilt[perception.stamp_ns] = perception

    def common(self) -> list[int]:
        return sorted(self.direct.keys() & self.rebuilt.keys())

    def calibrated(self) -> list[int]:
        """Those of `common` that were seen after camera_info had come on both ways."""
        return [
            stamp_ns
            for stamp_ns in self.common()
            if self.direct[stamp_ns].frame.camera and self.rebuilt[stamp_ns].frame.camera
        ]


def perception_node(
    bundle: Path, context: Context, *, rules: Sequence[str] = (), **more: Any
) -> list[Any]:
    arguments = ros_arguments({"model": bundle, **more})
    for rule in rules:
        arguments += ["-r", rule]
    return [PerceptionNode(context=context, cli_args=arguments)]


@pytest.mark.parametrize(
    ("source", "remapped"),
    [
        ("perception", ()),
        ("in_base", ("features", "embedding", "depth/image", "depth/confidence")),
    ],
)
def test_they_are_the_same(native_bundle: Path, source: str, remapped: tuple[str, ...]) -> None:
    rules = [f"{source}/{topic}:=perception/{topic}" for topic in remapped]
    with (
        surroundings(remappings=rules) as around,
        served(lambda context: perception_node(native_bundle, context)) as (seeing,),
    ):
        both = Both(around, seeing, source=source)
        around.wait_for(lambda: len(both.calibrated()) >= 5)
        both.topics.close()
    stamp_ns = both.calibrated()[-1]
    direct, rebuilt = both.direct[stamp_ns], both.rebuilt[stamp_ns]
    assert (rebuilt.model_id, rebuilt.class_names) == (direct.model_id, direct.class_names)
    for name in TRACK_FIELDS:
        np.testing.assert_allclose(
            getattr(rebuilt.tracks, name), getattr(direct.tracks, name), atol=2e-4, err_msg=name
        )
    assert direct.features is not None
    assert rebuilt.features is not None
    np.testing.assert_array_equal(rebuilt.features.grid, direct.features.grid)
    np.testing.assert_array_equal(rebuilt.features.embedding, direct.features.embedding)
    assert rebuilt.features.stride_px == pytest.approx(direct.features.stride_px)
    np.testing.assert_array_equal(rebuilt.frame.rgb, direct.frame.rgb)
    assert rebuilt.frame.camera is not None
    assert rebuilt.frame.camera.same_as(direct.frame.camera)
    assert rebuilt.depth is not None
    assert direct.depth is not None
    np.testing.assert_array_equal(rebuilt.depth.depth_m, direct.depth.depth_m)
    assert rebuilt.depth.source == direct.depth.source
    assert "no masks" in rebuilt.notes[-1]


def test_turned_images_are_refused(native_bundle: Path) -> None:
    turned: dict[str, Any] = {"camera.rotate": 180}
    with (
        surroundings() as around,
        served(lambda context: perception_node(native_bundle, context, **turned)) as (seeing,),
    ):
        both = Both(around, seeing, source="perception")
        around.wait_for(lambda: "perception unusable" in both.health.report().drops)
        example = both.health.report().drops["perception unusable"].example
        both.topics.close()
    assert "camera.rotate turns need the policy in one process" in example
    assert not both.rebuilt


def test_colour_of_a_rectified_topic_has_no_distortion(native_bundle: Path) -> None:
    rule = "rgb:=cam/image_rect"
    with (
        surroundings(remappings=[rule]) as around,
        served(lambda context: perception_node(native_bundle, context, rules=[rule])) as (seeing,),
    ):
        around.camera.camera = replace(CAMERA, distortion=np.array([-0.3, 0.1, 0, 0, 0]))
        both = Both(around, seeing, source="perception")
        around.wait_for(lambda: both.calibrated())
        both.topics.close()
    stamp_ns = both.calibrated()[-1]
    for perception in (both.direct[stamp_ns], both.rebuilt[stamp_ns]):
        assert perception.frame.camera is not None
        assert not perception.frame.camera.distortion.any()


def test_intrinsics_that_were_latched_before_anybody_listened_are_heard(
    native_bundle: Path,
) -> None:
    with surroundings() as around:
        around.camera.info = around.node.create_publisher(CameraInfo, "nowhere", 1)
        latched = around.node.create_publisher(CameraInfo, "camera_info", LATCHED_QOS)
        latched.publish(
            info_from_camera(CAMERA, stamp_ns=1, width_px=WIDTH_PX, height_px=HEIGHT_PX)
        )
        with served(lambda context: perception_node(native_bundle, context)) as (seeing,):
            both = Both(around, seeing, source="perception")
            around.wait_for(lambda: both.calibrated())
            both.topics.close()


def test_what_is_missing_is_reported(native_bundle: Path) -> None:
    with (
        surroundings(remappings=["perception/embedding:=nowhere"]) as around,
        served(lambda context: perception_node(native_bundle, context)) as (seeing,),
    ):
        both = Both(around, seeing, source="perception")
        around.wait_for(lambda: "frame incomplete" in both.health.report().drops)
        example = both.health.report().drops["frame incomplete"].example
        both.topics.close()
    assert "embedding" in example
    assert not both.rebuilt
