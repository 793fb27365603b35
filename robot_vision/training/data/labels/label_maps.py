"""Semantic label maps: the class of each pixel, from objects with masks.

Row 0 is the background, row 1 + i the class i of the set; `IGNORED` is neither learnt nor counted.
"""

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from robot_vision.training.data.labels.labelled import IGNORED, Annotated
from robot_vision.training.data.labels.masks import instance_map

BACKGROUND = "background"


def label_map(
    instances: UInt8[Tensor, "b h w"], class_id: Int64[Tensor, "b n"]
) -> Int64[Tensor, "b h w"]:
    """Label maps of a batch: `Batch.instances` and `Batch.class_id`, at the size of `instances`.

    Objects of class −1, of which a crop shows too little, are ignored.
    """
    known = torch.where(class_id >= 0, class_id + 1, IGNORED)
    row_of = torch.cat([torch.zeros_like(known[:, :1]), known], dim=1)
    flat = instances.flatten(1).long()
    return row_of.gather(1, flat).reshape(instances.shape)


def annotated_label_map(annotated: Annotated) -> UInt8[np.ndarray, "h w"]:
    """The label map of one image, in pixels of its file.

    Hardly visible objects (`crowd_xyxy_px`) are ignored: their boxes, where no other object is.
    """
    instances = instance_map(annotated)
    row_of = np.concatenate([[0], annotated.class_id[:255] + 1])
    labels = row_of[instances].astype(np.uint8)
    ignore_boxes(labels, annotated.crowd_xyxy_px)
    return labels


def ignore_boxes(
    labels: UInt8[np.ndarray, "h w"], box_xyxy_px: Float32[np.ndarray, "m 4"]
) -> None:
    """Ignore the background within boxes, in place."""
    for x0, y0, x1, y1 in np.round(box_xyxy_px).astype(int).clip(min=0):
        window = labels[y0:y1, x0:x1]
        window[window == 0] = IGNORED
