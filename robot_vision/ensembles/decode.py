"""Decodes detectors, in the graph, to boxes [A, 4] (corners in input pixels) and scores [A, C]."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from robot_vision.core.manifests.manifest import ModelManifest

_STRIDES_PX = (8, 16, 32)
Decoded = tuple[Float[Tensor, "a 4"], Float[Tensor, "a c"]]
Decoder = Callable[[ModelManifest, Sequence[Float[Tensor, "1 ..."]]], Decoded]


def _native(_: ModelManifest, outputs: Sequence[Float[Tensor, "1 ..."]]) -> Decoded:
    boxes, scores = outputs
    return boxes[0], scores[0]


def _yolo_v1(_: ModelManifest, outputs: Sequence[Float[Tensor, "1 ..."]]) -> Decoded:
    boxes, confidence, class_scores = outputs
    return boxes[0], confidence[0][:, None] * class_scores[0]


def _yolov8(manifest: ModelManifest, outputs: Sequence[Float[Tensor, "1 ..."]]) -> Decoded:
    head = outputs[0][0]
    rows = head.transpose(0, 1) if head.shape[0] == 4 + len(manifest.classes) else head
    boxes = rows[:, :4]
    if manifest.reading.box_units == "fractions":
        size = [manifest.input.width_px, manifest.input.height_px] * 2
        boxes = boxes * torch.tensor(size, dtype=torch.float32)
    return _corners(boxes), rows[:, 4:]


def _yolox(manifest: ModelManifest, outputs: Sequence[Float[Tensor, "1 ..."]]) -> Decoded:
    rows = outputs[0][0]
    boxes = rows[:, :4]
    if manifest.reading.grid == "encoded":
        cells = _cells(manifest.input.width_px, manifest.input.height_px)
        stride = cells[:, 2:]
        middle, size = (boxes[:, :2] + cells[:, :2]) * stride, boxes[:, 2:].exp() * stride
        boxes = torch.cat([middle, size], dim=1)
    return _corners(boxes), rows[:, 4:5] * rows[:, 5:]


DECODERS: dict[str, tuple[tuple[str, ...], Decoder]] = {
    "native": (("boxes_xyxy", "scores"), _native),
    "yolo_v1": (("boxes_xyxy", "confidence", "class_scores"), _yolo_v1),
    "yolov8": (("output",), _yolov8),
    "yolox": (("output",), _yolox),
}


def _cells(width_px: int, height_px: int) -> Float[Tensor, "a 3"]:
    """Column, row and stride of each cell of the three grids."""
    found = []
    for stride in _STRIDES_PX:
        y, x = torch.meshgrid(
            torch.arange(height_px // stride), torch.arange(width_px // stride), indexing="ij"
        )
        found.append(torch.stack([x, y, torch.full_like(x, stride)], dim=-1).reshape(-1, 3))
    return torch.cat(found).to(torch.float32)


def _corners(cxcywh: Float[Tensor, "a 4"]) -> Float[Tensor, "a 4"]:
    middle, half = cxcywh[:, :2], cxcywh[:, 2:] / 2
    return torch.cat([middle - half, middle + half], dim=1)
