"""The content of a set once read: images with boxes, with a class, or with a mask."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float32, Int64

IGNORED = 255  # of a mask: neither learnt nor counted


@dataclass(frozen=True, kw_only=True, eq=False)
class Annotated:
    """One image of a set: its files and its annotations, in pixels of the file.

    `focal_px` is 0 if the set does not give it (`intrinsics_px`). `segmentation` is COCO's, or
    None for a box only. Objects of `crowd_xyxy_px` are neither learnt nor counted.
    `visible_share` is the fraction of each object in view despite others and the border, 1 if
    the set does not give it.
    """

    image_id: int
    width_px: int
    height_px: int
    rgb_file: Path
    depth_file: Path | None = None
    depth_true_file: Path | None = None
    focal_px: float = 0.0
    box_xyxy_px: Float32[np.ndarray, "n 4"]
    class_id: Int64[np.ndarray, " n"]
    color: tuple[str, ...]
    segmentation: tuple[Any, ...]
    visible_share: Float32[np.ndarray, " n"]
    crowd_xyxy_px: Float32[np.ndarray, "m 4"]
    crowd_class_id: Int64[np.ndarray, " m"]


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionSet:
    """Images with boxes. `class_id` of an annotation is the row of its name."""

    root: Path
    class_names: tuple[str, ...]
    color_names: tuple[str, ...] = ()
    images: tuple[Annotated, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Classified:
    """One image and the one class that it shows."""

    rgb_file: Path
    class_id: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassificationSet:
    """Images of one class each. `class_id` is the row of the name."""

    root: Path
    class_names: tuple[str, ...]
    images: tuple[Classified, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Masked:
    """One image and its mask of the same size. `masks.read_mask` gives the mask's class ids."""

    width_px: int
    height_px: int
    rgb_file: Path
    mask_file: Path


@dataclass(frozen=True, kw_only=True, eq=False)
class SegmentationSet:
    """Images with a class for each pixel: the row of its name, or `IGNORED`."""

    root: Path
    class_names: tuple[str, ...]
    images: tuple[Masked, ...]


LabelledSet: TypeAlias = DetectionSet | ClassificationSet | SegmentationSet
