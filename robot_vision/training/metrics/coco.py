"""COCO AP through faster-coco-eval."""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any, Literal

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from jaxtyping import Float32
from pycocotools import mask as rle

from robot_vision.training.data.samples.samples import Sample
from robot_vision.training.metrics.selected import Found, FoundBoxes, encode_mask


def average_precision(
    found: Sequence[FoundBoxes], class_names: tuple[str, ...], *, kind: Literal["bbox", "segm"]
) -> dict[str, float]:
    """AP, AP50, AP75 and `AP/<class>` (NaN for a class not in the set)."""
    results = [r for f in found for r in _results(f, kind)]
    if not results:
        none = {"AP": 0.0, "AP50": 0.0, "AP75": 0.0}
        return none | {f"AP/{name}": 0.0 for name in class_names}
    with redirect_stdout(io.StringIO()):
        truth = COCO(_truth(found, class_names, kind))
        judge = COCOeval_faster(truth, truth.loadRes(results), kind)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    precision = judge.eval["precision"][:, :, :, 0, -1]
    values = {"AP": judge.stats[0], "AP50": judge.stats[1], "AP75": judge.stats[2]}
    for row, name in enumerate(class_names):
        counted = precision[:, :, row]
        counted = counted[counted > -1]
        values[f"AP/{name}"] = counted.mean() if counted.size else np.nan
    return {name: float(value) for name, value in values.items()}


def _results(found: FoundBoxes, kind: str) -> list[dict[str, Any]]:
    rows = []
    for index, (box, score, class_id) in enumerate(
        zip(found.box_xyxy_px, found.score, found.class_id, strict=True)
    ):
        row: dict[str, Any] = {
            "image_id": found.sample.image_id,
            "category_id": int(class_id) + 1,
            "score": float(score),
            "bbox": _xywh(box),
        }
        if kind == "segm":
            assert isinstance(found, Found)  # boxes alone have no masks to judge
            row["segmentation"] = encode_mask(found.mask[index])
        rows.append(row)
    return rows


def _truth(found: Sequence[FoundBoxes], class_names: tuple[str, ...], kind: str) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for f in found:
        for annotation in _annotations(f.sample, kind):
            annotations.append({"id": len(annotations) + 1, **annotation})
    height, width = found[0].sample.rgb.shape[:2]
    images = [{"id": f.sample.image_id, "width": width, "height": height} for f in found]
    categories = [{"id": row + 1, "name": name} for row, name in enumerate(class_names)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _annotations(sample: Sample, kind: str) -> list[dict[str, Any]]:
    """The objects that count, and hardly visible ones, which are neither right nor wrong."""
    rows = []
    for index, box in enumerate(sample.box_xyxy_px):
        row = _annotation(sample, box, sample.class_id[index], crowd=0)
        if kind == "segm":
            seen = sample.instances == sample.instance_id[index]
            row["segmentation"] = rle.encode(np.asfortranarray(seen.astype(np.uint8)))
            row["area"] = int(seen.sum())
        rows.append(row)
    for box, class_id in zip(sample.crowd_xyxy_px, sample.crowd_class_id, strict=True):
        row = _annotation(sample, box, class_id, crowd=1)
        if kind == "segm":
            x0, y0, x1, y1 = (round(v) for v in box.tolist())
            filled = np.zeros(sample.instances.shape, np.uint8)
            filled[max(y0, 0) : y1, max(x0, 0) : x1] = 1
            row["segmentation"] = rle.encode(np.asfortranarray(filled))
        rows.append(row)
    return rows


def _annotation(
    sample: Sample, box_xyxy_px: Float32[np.ndarray, "4"], class_id: np.int64, *, crowd: int
) -> dict[str, Any]:
    box = _xywh(box_xyxy_px)
    return {
        "image_id": sample.image_id,
        "category_id": int(class_id) + 1,
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": crowd,
    }


def _xywh(box_xyxy_px: Float32[np.ndarray, "4"]) -> list[float]:
    x0, y0, x1, y1 = box_xyxy_px.tolist()
    return [x0, y0, x1 - x0, y1 - y0]
