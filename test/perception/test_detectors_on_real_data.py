"""Real detectors through our own pre- and post-processing: they score what they should."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from robot_vision.core.interfaces import Perceiver
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Detections, Frame
from robot_vision.model_store.import_onnx import describe_onnx
from robot_vision.model_store.store import write_bundle
from robot_vision.perception.perceiver import build_perceiver


class Known(NamedTuple):
    """What is known of a real model: its format, what it finds on bus.jpg, its AP and AP50."""

    file: str
    format: str
    size_px: tuple[int, int] | None
    min_score: float
    bus_jpg: list[tuple[str, float]]
    ap: float
    ap50: float


KNOWN = [
    Known(
        "yolox_nano.onnx",
        "yolox",
        None,
        0.35,
        [("bus", 0.90), ("person", 0.86), ("person", 0.81), ("person", 0.70)],
        0.252,
        0.41,
    ),
    Known(
        "nanodet_m.onnx",
        "nanodet",
        None,
        0.4,
        [("bus", 0.74), ("person", 0.54), ("person", 0.53), ("person", 0.46)],
        0.21,
        0.35,
    ),
    Known(
        "fastestdet.onnx",
        "fastestdet",
        None,
        0.65,
        [("person", 0.88), ("person", 0.88), ("bus", 0.79), ("person", 0.65)],
        0.12,
        0.22,
    ),
    # Its int8 sums change its answers where inputs differ by 6e-8, so by the kind of CPU too.
    Known(
        "deimv2_atto_int8.onnx",
        "detr",
        (320, 320),
        0.5,
        [("person", 0.58), ("person", 0.55)],
        0.085,
        0.17,
    ),
]


@pytest.fixture(scope="module", params=KNOWN, ids=lambda known: known.format)
def detector(
    request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Perceiver, Known]]:
    """The model as `robot-vision models import` makes a bundle of it, with a low threshold."""
    known: Known = request.param
    file = shared_data / "models" / known.file
    manifest = describe_onnx(
        file,
        name=known.format,
        format=known.format,
        classes=(shared_data / "models/coco_classes.txt").read_text().splitlines(),
        size_px=known.size_px,
    )
    folder = tmp_path_factory.mktemp("models") / known.format
    values = {
        "model": str(write_bundle(folder, manifest, file).path),
        "device": "cpu",
        "detector.score_threshold": 0.001,
        "detector.max_detections": 300,
        "detector.nms_iou": 0.65,
    }
    perceiver = build_perceiver(with_values(ServiceConfig(), values))
    yield perceiver, known
    perceiver.close()


def detect(perceiver: Perceiver, image: Path) -> Detections:
    bgr = cv2.imread(str(image))
    assert bgr is not None, image
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return perceiver.perceive(Frame(stamp_ns=0, frame_id="c", rgb=rgb)).detections


def test_scores_on_the_bus_are_the_known_ones(
    shared_data: Path, detector: tuple[Perceiver, Known]
) -> None:
    perceiver, known = detector
    found = detect(perceiver, shared_data / "images/bus.jpg")
    sure = found.score >= known.min_score
    assert [perceiver.class_names[i] for i in found.class_id[sure]] == [
        n for n, _ in known.bus_jpg
    ]
    assert np.allclose(found.score[sure], [score for _, score in known.bus_jpg], atol=0.02)


def test_average_precision_on_real_pictures(
    shared_data: Path, detector: tuple[Perceiver, Known]
) -> None:
    coco_eval = pytest.importorskip("faster_coco_eval", reason="faster-coco-eval scores boxes")
    perceiver, known = detector
    folder = shared_data / "coco/tiny_coco"
    truth = json.loads((folder / "instances_all38.json").read_text())
    # COCO's category ids have gaps; its categories are in the order of the models' classes.
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
    print(f"{known.file}: AP {average_precision:.3f}, AP50 {at_iou_50:.3f}")
    assert average_precision >= known.ap, f"AP {average_precision:.3f}"
    assert at_iou_50 >= known.ap50, f"AP50 {at_iou_50:.3f}"
