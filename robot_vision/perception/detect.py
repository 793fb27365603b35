"""From a detector's outputs to the detections of a frame."""

import numpy as np
from jaxtyping import Bool, Float32, Int64

from robot_vision.core.config import DetectorConfig
from robot_vision.core.errors import ConfigError
from robot_vision.core.manifest import ModelManifest
from robot_vision.core.types import Detections
from robot_vision.perception.decode_native import masks_of
from robot_vision.perception.decoding import DECODERS, Candidates
from robot_vision.perception.model import ModelRun
from robot_vision.perception.nms import suppress, weigh_overlaps
from robot_vision.perception.preprocess import Placement

_DEFAULT_MIN_SCORE = 0.25
_MOST_WEIGHED = 100  # though fewer are asked for: others may doubt them


class Detector:
    """Selects detections: threshold, classes, suppression, and back to the frame's pixels."""

    def __init__(self, manifest: ModelManifest, config: DetectorConfig) -> None:
        self._decoder = DECODERS.get(manifest.format)
        self._manifest = manifest
        self._config = config
        self._min_score = config.score_threshold or manifest.score_threshold or _DEFAULT_MIN_SCORE
        self._kept_class = _kept_classes(manifest, config)

    # Numbers that make no sense are dropped, not warned of.
    @np.errstate(over="ignore", invalid="ignore")
    def detections(self, run: ModelRun, *, stamp_ns: int) -> Detections:
        """Detections by falling score: finite, of some area, inside the frame."""
        found = self._decoder.decode(run.outputs, self._manifest, min_score=self._min_score)
        row, box, score = self._select(found, run.placement)
        mask = None
        prototypes = run.grid("mask_prototypes")
        if prototypes is not None and "mask_coefficients" in run.outputs:
            coefficients = run.outputs["mask_coefficients"][0, found.row[row]]
            mask = masks_of(coefficients, prototypes, box, placement=run.placement)
        return Detections(
            stamp_ns=stamp_ns,
            box_xyxy_px=box,
            score=score,
            class_id=found.class_id[row],
            mask=mask,
        )

    def _select(
        self, found: Candidates, placement: Placement
    ) -> tuple[Int64[np.ndarray, " k"], Float32[np.ndarray, "k 4"], Float32[np.ndarray, " k"]]:
        """Rows of the candidates to keep, their boxes in the frame, and falling scores."""
        finite = np.isfinite(found.box_xyxy_px).all(axis=1) & np.isfinite(found.score)
        # A name that nobody asked for may be the better one of a thing that has two.
        asked = self._kept_class[found.class_id] | self._decoder.weighs_overlaps
        row = np.flatnonzero(finite & asked)
        box = placement.boxes_in_view(found.box_xyxy_px[row])
        has_area = _has_area(box)
        row, box = row[has_area], box[has_area]
        score, class_id = found.score[row], found.class_id[row]
        limit = self._config.max_detections
        if not self._decoder.needs_nms:
            kept = np.argsort(-score, kind="stable")[:limit]
        else:
            whole = found.box_xyxy_px[row]
            most = max(limit, _MOST_WEIGHED) if self._decoder.weighs_overlaps else limit
            kept = suppress(whole, score, class_id, iou=self._config.nms_iou, limit=most)
        if not self._decoder.weighs_overlaps:
            return row[kept], box[kept], score[kept]
        kept, box, score = weigh_overlaps(kept, box, score, class_id, min_score=self._min_score)
        wanted = np.flatnonzero(self._kept_class[class_id[kept]])[:limit]
        return row[kept[wanted]], box[wanted], score[wanted]


def _has_area(box_xyxy_px: np.ndarray) -> Bool[np.ndarray, " n"]:
    return np.all(box_xyxy_px[:, 2:] > box_xyxy_px[:, :2], axis=1)


def _kept_classes(manifest: ModelManifest, config: DetectorConfig) -> Bool[np.ndarray, " c"]:
    unknown = sorted(set(config.classes) - set(manifest.classes))
    if unknown:
        raise ConfigError(
            f"detector.classes has {', '.join(map(repr, unknown))}; "
            f"classes of {manifest.model_id}: {', '.join(manifest.classes)}"
        )
    return np.array([not config.classes or name in config.classes for name in manifest.classes])
