import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)

from robot_vision.core.cameras.geometry import transform_from_quaternion
from robot_vision.core.errors import ConfigError
from robot_vision.simulation.moving.sequence import SequenceRecipe
from robot_vision.simulation.writing.bag_writer import (
    COLOR_INFO_TOPIC,
    COLOR_TOPIC,
    DEPTH_INFO_TOPIC,
    DEPTH_TOPIC,
    TRUE_DEPTH_TOPIC,
    BagOptions,
)
from robot_vision.simulation.writing.record import TRUTH_FILE, record_sequence

STORE = get_typestore(Stores.ROS2_JAZZY)
RECIPE = SequenceRecipe(seconds=0.8, fps=10, seed=4, size_px=(160, 120), drop_share=0.4)
SHIPPED = Path(__file__).parents[2] / "robot_vision" / "data" / "tabletop"


def read(folder: Path) -> dict[str, dict[int, object]]:
    """Messages by topic and stamp."""
    messages: dict[str, dict[int, object]] = {}
    with Reader(folder) as bag:
        for connection, stamp_ns, data in bag.messages():
            message = STORE.deserialize_cdr(data, connection.msgtype)
            messages.setdefault(connection.topic, {})[stamp_ns] = message
    return messages


def record(folder: Path, options: BagOptions) -> dict[str, dict[int, object]]:
    record_sequence(folder, RECIPE, options, on_progress=lambda _: None)
    return read(folder)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bags") / "tabletop"
    record(folder, BagOptions(true_depth=True))
    return folder


def truth_of(folder: Path) -> dict:
    return json.loads((folder / TRUTH_FILE).read_text())


def test_every_recorded_frame_has_all_messages_and_dropped_ones_none(bag: Path) -> None:
    frames = truth_of(bag)["frames"]
    recorded = {frame["stamp_ns"] for frame in frames if frame["recorded"]}
    assert 0 < len(recorded) < len(frames) == 8
    topics = read(bag)
    assert set(topics) == {
        COLOR_TOPIC,
        COLOR_INFO_TOPIC,
        f"{DEPTH_TOPIC}/compressedDepth",
        DEPTH_INFO_TOPIC,
        TRUE_DEPTH_TOPIC,
        "/tf",
    }
    for messages in topics.values():
        assert set(messages) == recorded


def test_pictures_intrinsics_and_poses_fit_the_truth(bag: Path) -> None:
    topics = read(bag)
    for frame in truth_of(bag)["frames"]:
        stamp_ns = frame["stamp_ns"]
        if not frame["recorded"]:
            continue
        rgb = cv2.imdecode(topics[COLOR_TOPIC][stamp_ns].data, cv2.IMREAD_COLOR)
        assert rgb.shape == (120, 160, 3)
        depth_m = cv2.imdecode(topics[TRUE_DEPTH_TOPIC][stamp_ns].data[12:], -1) * 0.001
        info = topics[COLOR_INFO_TOPIC][stamp_ns]
        for thing in frame["objects"]:
            left, top, right, bottom = thing["box_xyxy_px"]
            inside = depth_m[top:bottom, left:right]
            assert np.abs(inside - thing["position_m"][2]).min() < 0.15
        x, y, z = thing["position_m"]
        pixel = info.k.reshape(3, 3) @ [x / z, y / z, 1]
        assert left - 40 < pixel[0] < right + 40
        assert top - 40 < pixel[1] < bottom + 40
        transform = topics["/tf"][stamp_ns].transforms[0]
        move, turn = transform.transform.translation, transform.transform.rotation
        pose = transform_from_quaternion(
            np.array([move.x, move.y, move.z]), np.array([turn.x, turn.y, turn.z, turn.w])
        )
        np.testing.assert_allclose(pose, frame["world_from_camera"], atol=2e-4)
        assert transform.header.frame_id == "world"
        assert transform.child_frame_id == info.header.frame_id


def test_raw_and_compressed_depth_say_the_same(bag: Path, tmp_path: Path) -> None:
    raw = record(tmp_path / "raw", BagOptions(raw_depth=True))[DEPTH_TOPIC]
    packed = read(bag)[f"{DEPTH_TOPIC}/compressedDepth"]
    for stamp_ns, message in raw.items():
        assert (message.encoding, message.step) == ("16UC1", 2 * message.width)
        depth_mm = message.data.view(np.uint16).reshape(message.height, message.width)
        assert packed[stamp_ns].format == "16UC1; compressedDepth png"
        np.testing.assert_array_equal(depth_mm, cv2.imdecode(packed[stamp_ns].data[12:], -1))


def test_an_existing_recording_is_not_overwritten(bag: Path) -> None:
    with pytest.raises(ConfigError, match="already exists"):
        record(bag, BagOptions())


def test_the_shipped_recording_is_what_it_claims() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) <= 6_000_000
    topics = read(SHIPPED)
    frames = truth_of(SHIPPED)["frames"]
    assert len(topics[COLOR_TOPIC]) == len(frames) >= 150
    assert set(topics[f"{DEPTH_TOPIC}/compressedDepth"]) == set(topics[COLOR_TOPIC])
    moving = {
        thing["track_id"]
        for frame in frames
        for thing in frame["objects"]
        if np.linalg.norm(thing["velocity_mps"]) > 0.1
    }
    assert len(moving) >= 4
