"""From a detector's outputs to the detections of a frame."""

import numpy as np
from jaxtyping import Bool, Float32, Int64

from robot_vision.core.cameras.placement import Placement
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.core.parameters.config import DetectorConfig
from robot_vision.core.results.keypoints import numbered_names
from robot_vision.core.types import Detections
from robot_vision.formats.format import Candidates
from robot_vision.formats.registry import FORMATS
from robot_vision.perception.model import ModelRun
from robot_vision.perception.nms import suppress, weigh_overlaps

_DEFAULT_MIN_SCORE = 0.25
_MOST_WEIGHED = 100  # even if fewer are requested: other boxes may lower their scores


class Detector:
    """Selects detections: threshold, classes, suppression, and back to the frame's pixels.

    Raises `BundleError` if the manifest's format is not one of detectors, `ConfigError` if
    `config.classes` names a class that the model does not have.
    """

    def __init__(self, manifest: ModelManifest, config: DetectorConfig) -> None:
        detection = FORMATS.get(manifest.format).detection
        if detection is None:
            raise BundleError(
                f"bundle {manifest.name!r}: format {manifest.format!r} does not detect objects"
            )
        self._format = detection
        self._manifest = manifest
        self._config = config
        self._min_score = config.score_threshold or manifest.score_threshold or _DEFAULT_MIN_SCORE
        self._kept_class = _kept_classes(manifest, config)

    # Invalid numbers are dropped without a warning.
    @np.errstate(over="ignore", invalid="ignore")
    def detections(self, run: ModelRun, *, stamp_ns: int) -> Detections:
        """Detections by descending score: finite, with non-zero area, inside the frame."""
        form = self._format
        found = form.decode(run.outputs, self._manifest, min_score=self._min_score)
        oriented_px = None
        if form.oriented_boxes is not None:
            oriented_px = form.oriented_boxes(run.outputs, self._manifest, row=found.row)
        row, box, score = self._select(found, oriented_px, run.placement)
        mask = keypoint = oriented = None
        names: tuple[str, ...] = ()
        if form.masks is not None:
            mask = form.masks(
                run.outputs,
                self._manifest,
                row=found.row[row],
                box_xyxy_px=box,
                placement=run.placement,
            )
        if form.keypoints is not None:
            points_px = form.keypoints(run.outputs, self._manifest, row=found.row[row])
            if points_px is not None:
                keypoint = _keypoints_in_view(points_px, run.placement)
                names = self._keypoint_names(points_px.shape[1])
        if oriented_px is not None:
            oriented = run.placement.oriented_boxes_in_view(oriented_px[row])
        return Detections(
            stamp_ns=stamp_ns,
            box_xyxy_px=box,
            score=score,
            class_id=found.class_id[row],
            mask=mask,
            keypoint=keypoint,
            keypoint_names=names,
            oriented_box=oriented,
        )

    def _keypoint_names(self, count: int) -> tuple[str, ...]:
        """The manifest's names, else the format's own, else numbers."""
        return self._manifest.keypoints or self._format.keypoint_names or numbered_names(count)

    def _select(
        self,
        found: Candidates,
        oriented_px: Float32[np.ndarray, "n 5"] | None,
        placement: Placement,
    ) -> tuple[Int64[np.ndarray, " k"], Float32[np.ndarray, "k 4"], Float32[np.ndarray, " k"]]:
        """Rows of the candidates to keep, their boxes in the frame, and descending scores."""
        finite = np.isfinite(found.box_xyxy_px).all(axis=1) & np.isfinite(found.score)
        # Of an object with two class names, an unrequested one may be the better.
        asked = self._kept_class[found.class_id] | self._format.weighs_overlaps
        row = np.flatnonzero(finite & asked)
        box = placement.boxes_in_view(found.box_xyxy_px[row])
        has_area = _has_area(box)
        row, box = row[has_area], box[has_area]
        score, class_id = found.score[row], found.class_id[row]
        limit = self._config.max_detections
        if not self._format.needs_nms:
            kept = np.argsort(-score, kind="stable")[:limit]
        else:
            kept = suppress(
                found.box_xyxy_px[row],
                score,
                class_id,
                iou=self._config.nms_iou,
                limit=max(limit, _MOST_WEIGHED) if self._format.weighs_overlaps else limit,
                oriented_box_px=None if oriented_px is None else oriented_px[row],
            )
        if not self._format.weighs_overlaps:
            return row[kept], box[kept], score[kept]
        kept, box, score = weigh_overlaps(kept, box, score, class_id, min_score=self._min_score)
        wanted = np.flatnonzero(self._kept_class[class_id[kept]])[:limit]
        return row[kept[wanted]], box[wanted], score[wanted]


def _keypoints_in_view(
    keypoint_px: Float32[np.ndarray, "n k 3"], placement: Placement
) -> Float32[np.ndarray, "n k 3"]:
    """Keypoints in the frame's pixels; NaN for those without a finite position."""
    xy = placement.points_in_view(keypoint_px[..., :2])
    keypoint = np.concatenate([xy, keypoint_px[..., 2:]], axis=2)
    keypoint[~np.isfinite(xy).all(axis=2)] = np.nan
    return keypoint


def _has_area(box_xyxy_px: np.ndarray) -> Bool[np.ndarray, " n"]:
    return np.all(box_xyxy_px[:, 2:] > box_xyxy_px[:, :2], axis=1)


def _kept_classes(manifest: ModelManifest, config: DetectorConfig) -> Bool[np.ndarray, " c"]:
    wanted = [name for name in config.classes if name]  # ROS's tools cannot write an empty list
    unknown = sorted(set(wanted) - set(manifest.classes))
    if unknown:
        raise ConfigError(
            f"detector.classes has {', '.join(map(repr, unknown))}; "
            f"classes of {manifest.model_id}: {', '.join(manifest.classes)}; "
            "[''] keeps all"
        )
    kept = [not wanted or name in wanted for name in manifest.classes]
    return np.array(kept, np.bool_)
