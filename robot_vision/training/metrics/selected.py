"""What a model finds in a sample, selected as the service selects it."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64
from pycocotools import mask as rle

from robot_vision.formats.boxes import every_class
from robot_vision.perception.nms import suppress, weigh_overlaps
from robot_vision.training.data.samples import Sample

MIN_SCORE = 0.02
NMS_IOU = 0.6
MAX_DETECTIONS = 100
MASK_PX = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What the model finds in one image, by falling score, in pixels of its input."""

    sample: Sample
    box_xyxy_px: Float32[np.ndarray, "n 4"]
    score: Float32[np.ndarray, " n"]
    class_id: Int64[np.ndarray, " n"]
    mask: Bool[np.ndarray, "n hm wm"]
    depth_m: Float32[np.ndarray, "hm wm"]


def decode(sample: Sample, out: dict[str, np.ndarray]) -> Found:
    """Detections of one image, by the service's own selection."""
    height, width = sample.rgb.shape[:2]
    boxes = np.clip(out["boxes_xyxy"], 0, np.array([width, height] * 2, np.float32))
    candidates = every_class(out["scores"], boxes, MIN_SCORE)
    kept = suppress(
        candidates.box_xyxy_px,
        candidates.score,
        candidates.class_id,
        iou=NMS_IOU,
        limit=MAX_DETECTIONS,
    )
    kept, box, score = weigh_overlaps(
        kept,
        candidates.box_xyxy_px,
        candidates.score,
        candidates.class_id,
        min_score=MIN_SCORE,
    )
    coefficients = out["mask_coefficients"][candidates.row[kept]]
    return Found(
        sample=sample,
        box_xyxy_px=box,
        score=score,
        class_id=candidates.class_id[kept],
        mask=_masks(coefficients, out["mask_prototypes"], box),
        depth_m=out["depth_m"][0],
    )


def _masks(
    coefficients: Float32[np.ndarray, "n k"],
    prototypes: Float32[np.ndarray, "k hm wm"],
    box_xyxy_px: Float32[np.ndarray, "n 4"],
) -> Bool[np.ndarray, "n hm wm"]:
    """As `formats/masks.py` serves them, on the grid of the input."""
    y, x = (np.arange(size) * MASK_PX + MASK_PX / 2 for size in prototypes.shape[1:])
    within_x = (x >= box_xyxy_px[:, :1]) & (x <= box_xyxy_px[:, 2:3])
    within_y = (y >= box_xyxy_px[:, 1:2]) & (y <= box_xyxy_px[:, 3:])
    logits = np.tensordot(coefficients, prototypes, axes=1)
    return (logits > 0) & within_y[:, :, None] & within_x[:, None, :]


def encode_mask(mask: Bool[np.ndarray, "hm wm"]) -> dict[str, Any]:
    """COCO run lengths of a mask at the size of the input."""
    large = cv2.resize(
        mask.astype(np.uint8), None, fx=MASK_PX, fy=MASK_PX, interpolation=cv2.INTER_NEAREST
    )
    return dict(rle.encode(np.asfortranarray(large, np.uint8)))
