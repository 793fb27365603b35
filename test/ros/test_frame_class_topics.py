"""Classification and segmentation over real DDS, on the shipped recording and on bad frames."""

import json
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_models import CLASSES, color_classifier, color_segmenter
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_harness import FRAME_ID, Rig, rig, wait_for_readers
from sensor_msgs.msg import Image
from std_msgs.msg import String

from robot_vision.core.results.frame_classes import label_names
from robot_vision.replay.reading.example_frames import load_frames
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.messages.live import class_of

pytestmark = pytest.mark.ros

TOPICS = {
    "classification/json": String,
    "segmentation/json": String,
    "segmentation": Image,
}


class Heard:
    """What came on each topic, by stamp."""

    def __init__(self, r: Rig, *names: str) -> None:
        self.by_topic: dict[str, dict[int, Any]] = {name: {} for name in names}
        for name in names:
            r.monitor.node.create_subscription(
                TOPICS[name], f"/perception/{name}", lambda m, n=name: self._keep(n, m), 10
            )

    def _keep(self, name: str, message: Any) -> None:
        said = json.loads(message.data) if isinstance(message, String) else message
        stamp_ns = said["stamp_ns"] if isinstance(said, dict) else ns_from_stamp(said.header.stamp)
        self.by_topic[name][stamp_ns] = said

    def all_have(self, stamp_ns: int) -> bool:
        return all(stamp_ns in said for said in self.by_topic.values())


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    return {
        "classifier_model": color_classifier(tmp_path / "classes"),
        "segmentation_model": color_segmenter(tmp_path / "parts"),
    }


def picture(rgb: np.ndarray) -> dict[str, Any]:
    """The fields of a colour image with these pixels."""
    height, width = rgb.shape[:2]
    data = array("B", np.ascontiguousarray(rgb).tobytes())
    return {"height": height, "width": width, "step": 3 * width, "data": data}


def test_both_pair_by_stamp_with_all_else_on_the_shipped_recording(
    models: dict[str, Path], native_bundle: Path
) -> None:
    with rig(model=native_bundle, **models) as r:
        heard = Heard(r, "classification/json", "segmentation/json", "segmentation")
        wait_for_readers(r)
        for frame in load_frames(None, count=3, width_px=320, height_px=240):
            rgb = frame.rgb
            result = r.result_of(depth=False, info=False, **picture(rgb))
            stamp_ns = result["stamp_ns"]
            r.wait_for(lambda stamp_ns=stamp_ns: heard.all_have(stamp_ns))
            classes, parts, image = (said[stamp_ns] for said in heard.by_topic.values())
            assert classes["frame_id"] == parts["frame_id"] == result["frame_id"] == FRAME_ID
            assert image.header.frame_id == FRAME_ID
            check_classes(classes, rgb)
            check_parts(parts, image, rgb)


def test_labels_are_turned_with_the_picture(models: dict[str, Path], native_bundle: Path) -> None:
    rgb = np.full((48, 64, 3), 200, np.uint8)
    rgb[:, :32, 0] = 0  # no red on the left: cyan, which a turn clockwise brings to the top
    rgb[:, 32:, 2] = 0
    with rig(model=native_bundle, camera__rotate=90, **models) as r:
        heard = Heard(r, "segmentation")
        wait_for_readers(r)
        result = r.result_of(depth=False, **picture(rgb))
        r.wait_for(lambda: heard.all_have(result["stamp_ns"]))
    image = heard.by_topic["segmentation"][result["stamp_ns"]]
    assert (image.height, image.width) == (64, 48)
    assert image.header.frame_id == result["frame_id"] != FRAME_ID
    labels = np.frombuffer(image.data, np.uint8).reshape(64, 48)
    assert np.unique(labels[:32]).tolist() == [1 + CLASSES.index("cyan")]
    assert np.unique(labels[32:]).tolist() == [1 + CLASSES.index("yellow")]


def check_classes(said: dict[str, Any], rgb: np.ndarray) -> None:
    probability = [row["probability"] for row in said["classes"]]
    assert sorted(row["class"] for row in said["classes"]) == sorted(CLASSES)
    assert probability == sorted(probability, reverse=True)
    assert sum(probability) == pytest.approx(1, abs=1e-4)
    darkest = CLASSES[int(rgb.mean(axis=(0, 1)).argmin())]
    assert said["classes"][0]["class"] == darkest
    assert said["model"] == "classes@1"


def check_parts(said: dict[str, Any], image: Image, rgb: np.ndarray) -> None:
    assert (image.height, image.width, image.encoding) == (*rgb.shape[:2], "mono8")
    labels = np.frombuffer(image.data, np.uint8).reshape(rgb.shape[:2])
    assert said["labels"] == {str(k): v for k, v in label_names(CLASSES).items()}
    assert sum(row["share"] for row in said["classes"]) == pytest.approx(1, abs=1e-4)
    for row in said["classes"]:
        assert said["labels"][str(row["label"])] == row["class"]
        assert (labels == row["label"]).mean() == pytest.approx(row["share"], abs=0.02)


def test_numbers_that_are_not_probabilities_are_reported_and_not_published(
    models: dict[str, Path], native_bundle: Path
) -> None:
    with rig(model=native_bundle, **models) as r:
        heard = Heard(r, "classification/json", "segmentation/json")
        wait_for_readers(r)
        white = r.result_of(**picture(np.full((48, 64, 3), 255, np.uint8)))
        assert any(note.startswith("no classification: classes@1") for note in white["notes"])
        assert any(note.startswith("no segmentation: parts@1") for note in white["notes"])
        r.wait_until_said("inputs", "no classification: classes@1")
        r.camera.send(encoding="nonsense")
        r.wait_until_said("inputs", "image unreadable")
        good = r.result_of()
        r.wait_for(lambda: heard.all_have(good["stamp_ns"]))
    for said in heard.by_topic.values():
        assert white["stamp_ns"] not in said


def test_models_come_and_go_while_it_runs_and_tracks_live_on(
    models: dict[str, Path], native_bundle: Path
) -> None:
    with rig(model=native_bundle) as r:
        heard = Heard(r, "classification/json")
        wait_for_readers(r)
        before = r.result_of()
        refused = r.set_parameter("classifier_model", str(models["segmentation_model"]))
        assert not refused.successful
        assert "task 'segmentation'; expected classification" in refused.reason
        assert r.set_parameter("classifier_model", str(models["classifier_model"])).successful
        after = r.result_of()
        r.wait_for(lambda: heard.all_have(after["stamp_ns"]))
        assert after["epoch"] == before["epoch"]
        assert [o["id"] for o in after["objects"]] == [o["id"] for o in before["objects"]]
        assert r.set_parameter("classifier_model", "").successful
        last = r.result_of()
        assert last["epoch"] == before["epoch"]
    assert before["stamp_ns"] not in heard.by_topic["classification/json"]
    assert last["stamp_ns"] not in heard.by_topic["classification/json"]


def test_names_of_labels_wait_for_later_subscribers(
    models: dict[str, Path], native_bundle: Path
) -> None:
    kind = class_of("vision_msgs/msg/LabelInfo")
    if kind is None:
        pytest.skip("vision_msgs is not installed")
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    heard: list[Any] = []
    with rig(model=native_bundle, **models) as r:
        wait_for_readers(r)
        stamp_ns = r.result_of()["stamp_ns"]
        topic = "/perception/segmentation/label_info"
        r.monitor.node.create_subscription(kind, topic, heard.append, latched)
        r.wait_for(lambda: bool(heard))
    names = {item.class_id: item.class_name for item in heard[0].class_map}
    assert names == label_names(CLASSES)
    assert ns_from_stamp(heard[0].header.stamp) == stamp_ns
