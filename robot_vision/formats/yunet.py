"""YuNet (Wu et al. 2023) as OpenCV's zoo has it: faces, by cells of strides 8, 16 and 32.

For each stride `cls_<stride>` and `obj_<stride>` [1, N, 1], `bbox_<stride>` [1, N, 4] (centre
relative to the cell and the logarithms of the size, in strides) and, where there are such,
`kps_<stride>` [1, N, 10]: five landmarks relative to the cell, in strides, without scores. The
score of a face is √(cls × obj). After OpenCV's `FaceDetectorYN`.
"""

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.core.results.keypoints import FACE_LANDMARKS
from robot_vision.formats.boxes import xyxy_from_cxcywh
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.levels import STRIDES_PX, all_levels, cells_of, check_levels
from robot_vision.formats.reading import surest
from robot_vision.formats.registry import register_format

_LANDMARKS = {f"kps_{s}" for s in STRIDES_PX}


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    classes = (len(manifest.classes),)
    columns = {"cls": classes, "obj": (1,), "bbox": (4,)}
    landmarks = {"kps": (2 * len(FACE_LANDMARKS),)} if outputs.keys() >= _LANDMARKS else {}
    check_levels(outputs, manifest, columns | landmarks)
    cls, obj, boxes = (all_levels(outputs, role, STRIDES_PX) for role in ("cls", "obj", "bbox"))
    cells = cells_of(manifest, STRIDES_PX)

    @np.errstate(over="ignore")  # infinite boxes are dropped by the caller
    def boxes_of(row: np.ndarray) -> np.ndarray:
        raw, stride_px = boxes[row].astype(np.float32), cells[row, 2:]
        centre_px = (cells[row, :2] + raw[:, :2]) * stride_px
        size_px = np.exp(raw[:, 2:]) * stride_px
        return xyxy_from_cxcywh(np.concatenate([centre_px, size_px], axis=1))

    scores = np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1))
    return surest(scores, boxes_of, min_score=min_score)


def _keypoints(
    outputs: Outputs, manifest: ModelManifest, *, row: Int64[np.ndarray, " n"]
) -> Float32[np.ndarray, "n 5 3"] | None:
    if not outputs.keys() >= _LANDMARKS:
        return None
    offset = all_levels(outputs, "kps", STRIDES_PX)[row].astype(np.float32)
    cells = cells_of(manifest, STRIDES_PX)[row, None]
    keypoint = np.full((len(row), len(FACE_LANDMARKS), 3), np.nan, np.float32)
    keypoint[..., :2] = (offset.reshape(keypoint[..., :2].shape) + cells[..., :2]) * cells[..., 2:]
    return keypoint


register_format(
    Format(
        name="yunet",
        task="detection",
        roles=tuple(f"{role}_{s}" for role in ("cls", "obj", "bbox") for s in STRIDES_PX),
        optional_roles=tuple(sorted(_LANDMARKS)),
        detection=Detection(
            decode=_decode,
            needs_nms=True,
            keypoints=_keypoints,
            keypoint_names=FACE_LANDMARKS,
        ),
        habits={"color": "bgr", "resize": "letterbox_topleft", "pad_value": 0, "scale": 1.0},
    )
)
