"""The real YOLOX-nano through our own pre- and post-processing: it scores what it should."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from robot_vision.core.config import ServiceConfig, with_values
from robot_vision.core.interfaces import Perceiver
from robot_vision.core.types import Detections, Frame
from robot_vision.model_store.import_onnx import describe_onnx
from robot_vision.model_store.store import write_bundle
from robot_vision.perception.perceiver import build_perceiver


@pytest.fixture(scope="module")
def yolox(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bundle of YOLOX-nano, as `robot-vision models import` makes it."""
    classes = (shared_data / "models/coco_classes.txt").read_text().splitlines()
    file = shared_data / "models/yolox_nano.onnx"
    manifest = describe_onnx(file, name="yolox-nano", format="yolox", classes=classes)
    folder = tmp_path_factory.mktemp("models") / "yolox-nano"
    return str(write_bundle(folder, manifest, file).path)


def load(bundle: str, *, min_score: float) -> Perceiver:
    values = {
        "model": bundle,
        "device": "cpu",
        "detector.score_threshold": min_score,
        "detector.max_detections": 300,
        "detector.nms_iou": 0.65,
    }
    return build_perceiver(with_values(ServiceConfig(), values))


def detect(perceiver: Perceiver, image: Path) -> Detections:
    bgr = cv2.imread(str(image))
    assert bgr is not None, image
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return perceiver.perceive(Frame(stamp_ns=0, frame_id="c", rgb=rgb), stage_s={}).detections


def test_scores_on_the_bus_are_the_published_ones(shared_data: Path, yolox: str) -> None:
    perceiver = load(yolox, min_score=0.35)
    found = detect(perceiver, shared_data / "images/bus.jpg")
    names = [perceiver.class_names[i] for i in found.class_id]
    assert names == ["bus", "person", "person", "person"]
    assert np.allclose(found.score, [0.90, 0.86, 0.81, 0.70], atol=0.02)


def test_average_precision_on_real_pictures(shared_data: Path, yolox: str) -> None:
    coco_eval = pytest.importorskip("faster_coco_eval", reason="faster-coco-eval scores boxes")
    folder = shared_data / "coco/tiny_coco"
    truth = json.loads((folder / "instances_all38.json").read_text())
    perceiver = load(yolox, min_score=0.001)
    # COCO's category ids have gaps; its categories are in the order of the model's classes.
    category = sorted(entry["id"] for entry in truth["categories"])
    rows = []
    for entry in truth["images"]:
        found = detect(perceiver, folder / entry["file_name"])
        x0, y0, x1, y1 = found.box_xyxy_px.T.astype(float)
        boxes = np.stack([x0, y0, x1 - x0, y1 - y0], axis=1)
        for box, score, class_id in zip(boxes, found.score, found.class_id, strict=True):
            rows.append(
                {
                    "image_id": entry["id"],
                    "category_id": category[class_id],
                    "bbox": box.tolist(),
                    "score": float(score),
                }
            )
    reference = coco_eval.COCO(truth)
    evaluation = coco_eval.COCOeval_faster(reference, reference.loadRes(rows), "bbox")
    evaluation.run()
    average_precision, at_iou_50 = evaluation.stats[:2]
    assert average_precision >= 0.250, f"AP {average_precision:.3f}"
    assert at_iou_50 >= 0.40, f"AP50 {at_iou_50:.3f}"
