"""YuNet (Wu et al. 2023) as OpenCV's zoo has it: faces, by cells of strides 8, 16 and 32.

For each stride `cls_<stride>` and `obj_<stride>` [1, N, 1], `bbox_<stride>` [1, N, 4] (centre
relative to the cell and the logarithms of the size, in strides) and `kps_<stride>` [1, N, 10],
which is not read. A face's score is √(cls × obj).
"""

import numpy as np

from robot_vision.core.manifest import ModelManifest
from robot_vision.formats.boxes import xyxy_from_cxcywh
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.levels import STRIDES_PX, all_levels, cells_of, check_levels
from robot_vision.formats.reading import surest
from robot_vision.formats.registry import register_format


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    classes = (len(manifest.classes),)
    check_levels(outputs, manifest, {"cls": classes, "obj": (1,), "bbox": (4,)})
    cls, obj, boxes = (all_levels(outputs, role, STRIDES_PX) for role in ("cls", "obj", "bbox"))
    cells = cells_of(manifest, STRIDES_PX)

    @np.errstate(over="ignore")  # boxes without end are dropped by whoever asks for these
    def boxes_of(row: np.ndarray) -> np.ndarray:
        raw, stride_px = boxes[row].astype(np.float32), cells[row, 2:]
        centre_px = (cells[row, :2] + raw[:, :2]) * stride_px
        size_px = np.exp(raw[:, 2:]) * stride_px
        return xyxy_from_cxcywh(np.concatenate([centre_px, size_px], axis=1))

    scores = np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1))
    return surest(scores, boxes_of, min_score=min_score)


register_format(
    Format(
        name="yunet",
        task="detection",
        roles=tuple(f"{role}_{s}" for role in ("cls", "obj", "bbox") for s in STRIDES_PX),
        detection=Detection(decode=_decode, needs_nms=True),
        habits={"color": "bgr", "resize": "letterbox_topleft", "pad_value": 0, "scale": 1.0},
    )
)
