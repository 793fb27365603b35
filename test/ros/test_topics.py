"""What works live is what a replay writes: the same message, byte for byte, of both libraries."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from test_objects import perception

from robot_vision.core.types import (
    Camera,
    Classification,
    Depth,
    Features,
    Grounded,
    Grounding,
    Lifted,
    Perception,
    Phrase,
    Prompt,
    SemanticMap,
)
from robot_vision.replay.writing.file_messages import FileMessages
from robot_vision.replay.writing.mcap_out import result_of
from robot_vision.replay.writing.ros_types import output_types
from robot_vision.ros.messages.live import LiveMessages, class_of
from robot_vision.topics.table import TOPICS
from robot_vision.topics.topic import Makers, OutputTopic

HEIGHT_PX, WIDTH_PX = 48, 64


def seen() -> Perception:
    """A confirmed, a coasting and a tentative track, depth (in steps of a file), features.

    One detection has keypoints, of which one has no place and one no score; both are turned.
    """
    given = perception()
    keypoint = np.full((2, 3, 3), np.nan, np.float32)
    keypoint[0, :2] = [[12, 13, 0.9], [18, 25, np.nan]]
    oriented = np.array([[15, 20, 18, 6, 0.5], [2.5, 2.5, 5, 5, 0]], np.float32)
    matrix = np.array([[50.0, 0, 31], [0, 50, 23], [0, 0, 1]])
    camera = Camera(
        frame_id="optical",
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        intrinsics_px=matrix,
        distortion=np.array([0.1, -0.2, 0.0, 0.0, 0.01]),
    )
    depth_m = (np.arange(24 * 32, dtype=np.float32) / 1024).reshape(24, 32)
    depth_m[0, 0] = np.nan
    rng = np.random.default_rng(0)
    return replace(
        given,
        frame=replace(given.frame, camera=camera),
        robot_mask=rng.random((HEIGHT_PX, WIDTH_PX)) < 0.5,
        detections=replace(
            given.detections,
            keypoint=keypoint,
            keypoint_names=("nose", "left_eye", "right_eye"),
            oriented_box=oriented,
        ),
        depth=Depth(
            stamp_ns=given.stamp_ns,
            depth_m=depth_m,
            confidence=np.isfinite(depth_m).astype(np.float32),
            source="fused",
            valid_fraction=0.99,
        ),
        lifted=Lifted(
            position_in_camera_m=np.full((2, 3), 0.3, np.float32),
            covariance_m2=np.zeros((2, 3, 3), np.float32),
            size_m=np.full((2, 3), 0.1, np.float32),
        ),
        features=Features(
            stamp_ns=given.stamp_ns,
            grid=rng.random((4, 3, 2), np.float32),
            stride_px=16,
            embedding=rng.random(8, np.float32),
            model_id="m@1",
        ),
        classification=Classification(
            stamp_ns=given.stamp_ns,
            class_id=np.array([1, 0]),
            probability=np.array([0.75, 0.25], np.float32),
            class_names=("cup", "bowl"),
            model_id="c@1",
        ),
        segmentation=SemanticMap(
            stamp_ns=given.stamp_ns,
            class_id=rng.integers(-1, 2, (6, 8)),
            class_names=("cup", "bowl"),
            model_id="s@1",
        ),
        grounding=grounding_of(given),
        stage_s={"inference": 0.008},
    )


def grounding_of(given: Perception) -> Grounding:
    """What was found, as if words had named it; one phrase has a word that nobody knows."""
    assert given.tracks is not None
    phrases = (
        Phrase(text="a cup"),
        Phrase(text="chair"),
        Phrase(text="a zebra", unknown_words=("zebra",), problem="unknown word 'zebra'"),
    )
    prompt = Prompt(text="a cup, chair, a zebra", phrases=phrases)
    found = Grounded(prompt=prompt, detections=given.detections, model_id="g@1")
    return Grounding(found=found, lifted=None, tracks=given.tracks)


def both(topic: OutputTopic, times: int = 1) -> tuple[bytes, ...]:
    """The message as the node publishes it, and as a file holds it; after `times` frames."""
    result = result_of(seen())
    live, file = Makers(LiveMessages()), Makers(FileMessages())
    messages: tuple[Any, Any] = (None, None)
    for _ in range(times):
        messages = topic.make(live, result), topic.make(file, result)
    # Read and written once more: what lies between the fields is not defined.
    types = output_types()
    read = types.deserialize_cdr(serialize_message(messages[0]), topic.type_name)
    return tuple(bytes(types.serialize_cdr(m, topic.type_name)) for m in (read, messages[1]))


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("topic", [t for t in TOPICS if t.live], ids=lambda topic: topic.name)
def test_a_message_is_the_same_live_and_in_a_file(topic: OutputTopic, times: int) -> None:
    if class_of(topic.type_name) is None:
        pytest.skip(f"{topic.type_name} is not installed")
    live, file = both(topic, times)
    assert live == file


def test_a_file_has_what_the_node_publishes_at_the_same_names() -> None:
    names = [topic.name for topic in TOPICS]
    assert len(names) == len(set(names))
    for topic in TOPICS:
        assert topic.live or topic.in_file != "never", f"{topic.name} goes nowhere"
    compressed = [topic.name for topic in TOPICS if not topic.live]
    assert compressed == ["overlay/compressed"]
