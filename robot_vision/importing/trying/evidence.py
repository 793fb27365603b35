"""Evidence for one reading of a model: objects found in the pictures, plausible boxes, faults."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32

from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.cameras.placement import Placement
from robot_vision.formats.format import Candidates
from robot_vision.importing.reading.class_names import same_name
from robot_vision.importing.trying.pictures import Picture
from robot_vision.perception.nms import suppress

_LEAST_SCORE = 0.2  # for an object to count as found
_SAME_PLACE_IOU = 0.5
_NMS_IOU = 0.6
_MOST_DETECTIONS = 50
_SUREST = 20  # boxes per picture whose places are checked, whatever their score
_PADDING_SCORE = 1e-6
_MARGIN = 0.1  # of the view, by which a plausible box may extend beyond it
_SMALLEST_PX = 2.0
_MOST_CERTAIN_SHARE = 0.25


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """How well a reading explains the pictures.

    `quality` [p]: per picture with objects that the model has names for, 0 to 1: score × IoU of
    the boxes found for them, reduced if much else is found. `named`: whether classes are named
    like objects in the pictures; else every class may find them. `kinds`: the number of classes of
    the boxes. `sound`: share of the best boxes that lie in the picture and have a size. `fault`:
    why the reading is impossible, or empty. `detections` [n, 6]: the objects found, for comparing
    two readings.
    """

    quality: Float[np.ndarray, " p"]
    named: bool
    kinds: int
    found: int
    drawn: int
    sound: float
    fault: str
    detections: Float32[np.ndarray, "n 6"]

    @property
    def mean_quality(self) -> float:
        return float(self.quality.mean()) if len(self.quality) else 0.0

    def equals(self, other: "Evidence") -> bool:
        """Whether both found the same in every picture."""
        one, two = self.detections, other.detections
        return one.shape == two.shape and bool(np.allclose(one, two, rtol=1e-3, atol=0.05))


class Seen(NamedTuple):
    """The decoding of a picture: candidates of any score, and the picture's place in the input."""

    picture: Picture
    candidates: Candidates
    placement: Placement


def judge(seen: Sequence[Seen], classes: Sequence[str]) -> Evidence:
    """The evidence in the decodings of all pictures."""
    named = any(
        _classes_called(names, classes).any() for one in seen for names in one.picture.names
    )
    quality, sound, detections, supports, kinds = [], [], [], [], set[int]()
    for one in seen:
        rows = _detections(one)
        detections.append(rows)
        sound.append(_soundness(one))
        support, finders = _support(one.picture, rows, classes if named else None)
        kinds |= {*finders}
        if len(support):
            supports.extend(support)
            clutter = rows[:, 4].sum() / 2
            quality.append(support.sum() / max(len(support), clutter))
    counted = [share for share in sound if share is not None]
    return Evidence(
        quality=np.array(quality, float),
        named=named,
        kinds=len(kinds),
        found=int(np.count_nonzero(supports)),
        drawn=len(supports),
        sound=float(np.mean(counted)) if counted else 0.0,
        fault=_fault(seen),
        detections=np.concatenate(detections) if detections else np.zeros((0, 6), np.float32),
    )


def _detections(seen: Seen) -> Float32[np.ndarray, "n 6"]:
    """Boxes in the picture, score and class of what stands out, without duplicates."""
    found = seen.candidates
    strong = np.flatnonzero((found.score >= _LEAST_SCORE) & _finite(found))
    strong = strong[np.argsort(-found.score[strong], kind="stable")[: 10 * _MOST_DETECTIONS]]
    box = seen.placement.boxes_in_view(found.box_xyxy_px[strong])
    some_area = np.all(box[:, 2:] > box[:, :2], axis=1)
    box, strong = box[some_area], strong[some_area]
    score, class_id = found.score[strong], found.class_id[strong]
    kept = suppress(box, score, class_id, iou=_NMS_IOU, limit=_MOST_DETECTIONS)
    columns = [box[kept], score[kept, None], class_id[kept, None]]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _support(
    picture: Picture, rows: Float32[np.ndarray, "n 6"], classes: Sequence[str] | None
) -> tuple[Float[np.ndarray, " k"], list[int]]:
    """Score × IoU of the best box for each object, and the classes of those boxes.

    All classes count if `classes` is None.
    """
    support, finders = [], []
    iou = pairwise_iou(picture.box_xyxy_px, rows[:, :4])
    for names, overlap in zip(picture.names, iou, strict=True):
        if classes is None:
            fits = np.ones(len(rows), bool)
        else:
            called = _classes_called(names, classes)
            if not called.any():
                continue
            fits = called[rows[:, 5].astype(int)]
        worth = np.where(fits & (overlap >= _SAME_PLACE_IOU), overlap * rows[:, 4], 0)
        support.append(worth.max(initial=0))
        if support[-1] > 0:
            finders.append(int(rows[worth.argmax(), 5]))
    return np.array(support, float), finders


def _classes_called(names: Sequence[str], classes: Sequence[str]) -> Bool[np.ndarray, " c"]:
    return np.array([any(same_name(name, other) for other in names) for name in classes], bool)


def _soundness(seen: Seen) -> float | None:
    """Share of the best boxes that have a size and lie in the view; None without boxes.

    Rows without any score are padding.
    """
    found = seen.candidates
    surest = np.argsort(-np.nan_to_num(found.score), kind="stable")[:_SUREST]
    surest = surest[found.score[surest] > _PADDING_SCORE]
    if not len(surest):
        return None
    box = found.box_xyxy_px[surest]
    place = seen.placement
    origin = np.array([place.left_px, place.top_px], np.float32)
    size = np.array([place.width_px, place.height_px], np.float32)
    within = (box[:, :2] >= origin - _MARGIN * size) & (
        box[:, 2:] <= origin + (1 + _MARGIN) * size
    )
    has_size = box[:, 2:] - box[:, :2] >= _SMALLEST_PX
    return float((within & has_size).all(axis=1).mean())


def _fault(seen: Sequence[Seen]) -> str:
    score = np.concatenate([one.candidates.score for one in seen]) if seen else np.zeros(0)
    if np.isnan(score).any():
        return "scores that are not numbers"
    if len(score) and score.max() > 1.001:
        return f"scores of up to {score.max():.3g}, which are not probabilities"
    strong = score[score >= _LEAST_SCORE]
    if len(strong) and (strong == 1).mean() > _MOST_CERTAIN_SHARE:
        return f"{(strong == 1).mean():.0%} of its scores are exactly 1, like class numbers"
    return ""


def _finite(found: Candidates) -> Bool[np.ndarray, " n"]:
    return np.isfinite(found.box_xyxy_px).all(axis=1) & np.isfinite(found.score)
