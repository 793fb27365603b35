"""`~/points` and `~/objects/points` of the running node, over real DDS."""

from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from native_bundle import HEIGHT_PX, WIDTH_PX
from ros_harness import CAMERA, FRAME_ID, Rig, rig, wait_for_readers
from sensor_msgs.msg import Image, PointCloud2

from robot_vision.core.cameras.geometry import project
from robot_vision.ros.messages.convert import header, ns_from_stamp
from robot_vision.topics.content import points as points_module
from robot_vision.topics.content.cloud import OBJECT_POINT, POINT, fill_cloud

pytestmark = pytest.mark.ros

DISTORTED = replace(CAMERA, distortion=np.array([-0.2, 0.05, 0.002, -0.001, 0.01]))


def depth_mm() -> np.ndarray:
    """A slope that fell out of the sensor's view at one side."""
    slope = np.arange(WIDTH_PX * HEIGHT_PX, dtype=np.uint16).reshape(HEIGHT_PX, WIDTH_PX) % 700
    slope += 1200
    slope[:, :9] = 0
    return slope


def send(rig: Rig) -> int:
    """A frame with that depth; returns its stamp."""
    stamp_ns = rig.camera.now_ns()
    rig.camera.depth.publish(
        Image(
            header=header(stamp_ns, FRAME_ID),
            height=HEIGHT_PX,
            width=WIDTH_PX,
            encoding="16UC1",
            step=WIDTH_PX * 2,
            data=array("B", depth_mm().tobytes()),
        )
    )
    return rig.camera.send(stamp_ns=stamp_ns, depth=False)


def cloud_at(rig: Rig, topic: str, count: int = 1) -> tuple[int, PointCloud2]:
    """Stamp and cloud of a frame after `count` were served to a subscriber."""
    heard: list[PointCloud2] = []
    rig.monitor.node.create_subscription(PointCloud2, topic, heard.append, 5)
    rig.wait_for(lambda: rig.node.count_subscribers(topic) > 0)
    sent: list[int] = []

    def has_come() -> bool:
        if len(sent) <= len(heard):
            sent.append(send(rig))
        return len(heard) >= count

    rig.wait_for(has_come)
    cloud = heard[-1]
    stamp_ns = ns_from_stamp(cloud.header.stamp)
    assert stamp_ns in sent
    assert cloud.header.frame_id == FRAME_ID
    return stamp_ns, cloud


def test_points_are_those_of_the_depth_through_the_lens(native_bundle: Path) -> None:
    with rig(model=native_bundle) as r:
        r.camera.camera = DISTORTED
        wait_for_readers(r)
        _, cloud = cloud_at(r, "/perception/points")
    points = np.frombuffer(cloud.data, POINT).reshape(HEIGHT_PX, WIDTH_PX)
    sent_m = np.where(depth_mm() > 0, depth_mm() / np.float32(1000), np.float32(np.nan))
    np.testing.assert_allclose(points["z"], sent_m, rtol=1e-6)
    xyz_m = np.stack([points[name] for name in "xyz"], -1)[depth_mm() > 0].astype(np.float64)
    v, u = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    np.testing.assert_allclose(
        project(xyz_m, camera=DISTORTED), np.stack([u, v], -1)[depth_mm() > 0], atol=1e-3
    )
    assert set(points["rgb"].view("<u4").ravel()) == {0x505050}


def test_points_of_objects_name_the_tracks_of_the_same_frame(native_bundle: Path) -> None:
    with rig(model=native_bundle, points__stride=2) as r:
        wait_for_readers(r)
        stamp_ns, cloud = cloud_at(r, "/perception/objects/points", count=8)
        r.wait_for(lambda: r.has_result(stamp_ns))
        result: dict[str, Any] = next(
            result for result in r.monitor.heard.results if result["stamp_ns"] == stamp_ns
        )
    points = np.frombuffer(cloud.data, OBJECT_POINT)
    assert len(points)
    confirmed = {o["id"] for o in result["objects"] if o["state"] == "confirmed"}
    assert set(points["id"].tolist()) <= confirmed
    assert ((points["z"] >= 1.2) & (points["z"] < 1.9)).all()


def test_clouds_are_made_for_subscribers_only(
    native_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def counted(*args: Any, **kwargs: Any) -> None:
        made.append(1)
        fill_cloud(*args, **kwargs)

    monkeypatch.setattr(points_module, "fill_cloud", counted)
    with rig(model=native_bundle) as r:
        wait_for_readers(r)
        r.result_of()
        assert not made
        cloud_at(r, "/perception/points")
        assert made


def test_the_stride_is_fixed_while_the_node_is_configured(native_bundle: Path) -> None:
    with rig(model=native_bundle) as r:
        wait_for_readers(r)
        refused = r.set_parameter("points.stride", 2)
        assert not refused.successful
        assert "clean up the node first" in refused.reason
        assert "Min: 1" in r.set_parameter("points.stride", 0).reason
