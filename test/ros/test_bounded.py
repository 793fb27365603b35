"""What strangers publish costs bounded time and memory, and is reported with a count."""

import json
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from geometry_msgs.msg import PoseStamped
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, JointState
from std_msgs.msg import Header, String
from test_demo_recorder import WORDS, bench, record

from robot_vision.ros.common.health import Health
from robot_vision.ros.common.tf import BoundedBuffer
from robot_vision.ros.messages.objects_text import read_objects
from robot_vision.ros.middleware.bounded import bounded, checked_frame_id
from robot_vision.sync.transforms import MOST_FRAMES

pytestmark = pytest.mark.ros

HUGE = 20_000_000


def test_a_large_message_is_refused_before_it_becomes_an_object() -> None:
    said: list[str] = []
    got: list[String] = []
    take = bounded(String, got.append, most_bytes=100, refuse=said.append)
    take(serialize_message(String(data="few words")))
    take(serialize_message(String(data="x" * HUGE)))
    take(b"\x00\x01\x00\x00\xff\xff\xff\x7fabc")
    assert [message.data for message in got] == ["few words"]
    assert said == [
        "a message is larger than 100 bytes, the limit",
        "a message of 11 bytes is not a valid String",
    ]


def test_a_long_instruction_is_refused_with_a_count_and_no_episode_begins_with_the_old(
    tmp_path: Path,
) -> None:
    with bench(tmp_path / "set") as on:
        on.meet()
        on.robot.instruction.publish(String(data="é" * 501))
        on.wait_for(lambda: on.status["unusable"])
        ((note, count),) = on.status["unusable"].items()
        assert note.startswith("instruction unusable: it has more than 500 characters")
        assert count == 1
        done, words = on.begin()
        assert not done
        assert "no instruction" in words
        on.say("é" * 500)
        assert on.begin()[0]


def test_huge_messages_neither_stop_nor_swell_the_recorder(tmp_path: Path) -> None:
    huge_name = "x" * HUGE
    with bench(tmp_path / "set") as on:
        on.meet()
        on.begin()
        before_mb = psutil.Process().memory_info().rss / 1e6
        for _ in range(5):
            on.robot.instruction.publish(String(data=huge_name))
            on.robot.tool.publish(PoseStamped(header=Header(frame_id=huge_name)))
            on.robot.joints.publish(JointState(name=["j"] * 1_000_000))
            on.robot.info.publish(CameraInfo(d=[0.0] * 1_000_000))
        record(on, range(12))
        on.wait_until_recorded(11)
        assert on.end()[0]
        refused = dict(on.status["unusable"])
        grown_mb = psutil.Process().memory_info().rss / 1e6 - before_mb
    assert all(len(note) <= 500 for note in refused)
    assert any(note.startswith("instruction unusable: a message is larger") for note in refused)
    # The middleware of publishers and subscribers, in this one process, keeps buffers.
    assert grown_mb < 600


def test_health_keeps_short_examples_of_few_causes() -> None:
    health = Health()
    for number in range(1000):
        health.dropped(f"cause {number} of a stranger\nforged line", "x" * HUGE)
    report = health.report()
    assert len(report.drops) <= 101
    assert sum(cause.total for cause in report.drops.values()) == 1000
    assert all(len(cause.example) <= 500 for cause in report.drops.values())
    assert not any("\n" in name for name in report.drops)


def test_frame_ids_are_bounded() -> None:
    assert checked_frame_id("camera") == "camera"
    with pytest.raises(ValueError, match="more than 256 characters"):
        checked_frame_id("x" * HUGE)


def objects(**changed: Any) -> str:
    row = {
        "id": 1,
        "class": "cube",
        "score": 0.9,
        "state": "confirmed",
        "position_m": [0.1, 0.2, 0.3],
        "position_covariance_m2": [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]],
        "velocity_mps": None,
        "velocity_covariance_m2ps2": None,
        "size_m": None,
        "box_xyxy_px": [1.0, 2, 3, 4],
        "age_s": 1.0,
        "unseen_s": 0.0,
    }
    about = {
        "stamp_ns": 5,
        "frame_id": "camera",
        "model": "native-s",
        "depth_source": None,
        "epoch": 0,
        "notes": [],
    }
    rows = [row | changed.pop("row", {})] * changed.pop("rows", 1)
    return json.dumps(about | {"objects": rows} | changed)


def test_objects_of_our_own_node_are_read() -> None:
    result = read_objects(objects())
    assert result["stamp_ns"] == 5
    assert result["objects"][0]["class"] == "cube"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 100_000,
        "null",
        "{}",
        objects(stamp_ns=[1]),
        objects(stamp_ns=10**30),
        objects(rows=1001),
        objects(frame_id="x" * 300),
        objects(notes=["n"] * 200),
        objects(notes=5),
        objects(row={"class": "x" * 300}),
        objects(row={"class": 5}),
        objects(row={"state": "flying"}),
        objects(row={"position_m": [1, 2]}),
        objects(row={"position_m": [1e300, 0, 0]}),
        objects(row={"position_m": [float("nan"), 0, 0]}),
        objects(row={"id": 2**70}),
    ],
)
def test_objects_that_are_wrong_are_one_short_error(text: str) -> None:
    with pytest.raises(ValueError, match="objects/json") as caught:
        read_objects(text)
    assert len(str(caught.value)) < 300


def test_tf_is_bounded_in_frames_and_names() -> None:
    kept: list[str] = []
    said: list[str] = []
    buffer = SimpleNamespace(
        set_transform=lambda transform, _: kept.append(transform.child_frame_id),
        set_transform_static=lambda transform, _: kept.append(transform.child_frame_id),
    )
    taking = BoundedBuffer(buffer, said.append)

    def transform(child: str) -> Any:
        return SimpleNamespace(child_frame_id=child, header=SimpleNamespace(frame_id="base"))

    taking.set_transform_static(transform("tool"), "")
    taking.set_transform(transform("x" * 300), "")
    begin_s = monotonic()
    for number in range(50_000):
        taking.set_transform(transform(f"frame {number}"), "")
    assert monotonic() - begin_s < 10
    taking.set_transform(transform("tool"), "")
    assert len(kept) <= MOST_FRAMES + 1
    assert kept[-1] == "tool", "what was known goes on"
    assert "transforms refused so far" in said[-1]


def test_the_instruction_of_an_episode_is_what_was_said(tmp_path: Path) -> None:
    with bench(tmp_path / "set") as on:
        on.meet()
        assert repr(WORDS) in on.begin()[1]
