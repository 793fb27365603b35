"""The robot in a recording: filtered out and shown as its description and joints say."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from replay_scenes import Message, Scene, header_of, red_square_bundle, write_rosbag2
from rosbags.highlevel import AnyReader

from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.writing.ros_types import output_types

# Its front is where the squares are, over all of the view; the wall is behind it.
ARM = """<robot name="arm"><link name="base"/>
  <link name="hand"><visual><origin xyz="0 0 1.1"/>
    <geometry><box size="2 2 0.2"/></geometry></visual></link>
  <joint name="slide" type="prismatic"><parent link="base"/><child link="hand"/>
    <axis xyz="1 0 0"/><limit lower="-9" upper="9" effort="1" velocity="1"/></joint></robot>"""


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return red_square_bundle(tmp_path_factory.mktemp("models") / "detector")


def with_robot(scene: Scene, *, slide: float, until: int) -> Iterator[Message]:
    """A recording in which the joint is reported with each of the first frames."""
    text = {"data": ARM}
    yield Message(
        topic="/left/robot_description",
        type_name="std_msgs/msg/String",
        log_ns=scene.start_ns,
        values=text,
    )
    transform = {
        "header": header_of(scene.start_ns, "base"),
        "child_frame_id": "cam_optical",
        "transform": {"rotation": {"w": 1.0}},
    }
    yield Message(
        topic="/tf_static",
        type_name="tf2_msgs/msg/TFMessage",
        log_ns=scene.start_ns,
        values={"transforms": [transform]},
    )
    stamps_ns = scene.stamps_ns()[:until]
    for message in scene.messages():
        if message.type_name.endswith("CameraInfo") and message.log_ns in stamps_ns:
            values: dict[str, Any] = {
                "header": header_of(message.log_ns, "base"),
                "name": ["slide"],
                "position": np.array([slide]),
            }
            yield replace(
                message,
                topic="/left/joint_states",
                type_name="sensor_msgs/msg/JointState",
                values=values,
            )
        yield message


def replayed(folder: Path, detector: Path, *, slide: float, until: int = 99) -> dict[str, Any]:
    messages = with_robot(Scene(transforms=False), slide=slide, until=until)
    bag = write_rosbag2(folder / "bag", list(messages))
    config = with_values(NodeConfig(), {"model": str(detector), "threads": 1})
    result = run_job(Job(name="arm", path=bag, config=config, out=folder / "out", images="all"))
    assert result["error"] == ""
    return result


def masks_of(folder: Path) -> list[np.ndarray]:
    file = folder / "out" / "perception.mcap"
    with AnyReader([file], default_typestore=output_types()) as reader:
        wanted = [c for c in reader.connections if c.topic == "/perception/robot_mask"]
        return [
            output_types().deserialize_cdr(data, c.msgtype).data
            for c, _, data in (reader.messages(connections=wanted) if wanted else ())
        ]


def test_what_is_on_the_arm_is_not_an_object_and_the_mask_is_in_the_file(
    detector: Path, tmp_path: Path
) -> None:
    result = replayed(tmp_path, detector, slide=0.0)
    assert result["figures"]["tracks"] == []
    masks = masks_of(tmp_path)
    assert len(masks) == result["figures"]["frames"]
    assert max(mask.max() for mask in masks) == 255


def test_an_arm_beside_the_view_hides_nothing(detector: Path, tmp_path: Path) -> None:
    result = replayed(tmp_path, detector, slide=8.0)
    assert result["figures"]["tracks"]
    assert max(mask.max() for mask in masks_of(tmp_path)) == 0


def test_joints_that_end_hide_nothing_and_are_reported(detector: Path, tmp_path: Path) -> None:
    result = replayed(tmp_path, detector, slide=0.0, until=5)
    assert result["figures"]["tracks"]
    problem = result["input"]["problems"]["the robot is not filtered out"]
    assert "'slide' was last reported" in problem["first"]
