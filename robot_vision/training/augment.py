"""Random changes of samples, by albumentations, and what our depth sensor may lack."""

import os
from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import UInt16

from robot_vision.training.dataset import PAD_VALUE, Sample
from robot_vision.training.recipe import Augmentation

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A

SMALLEST_BOX_PX = 2.0
SMALLEST_VISIBLE_PART = 0.25
MAX_HOLES = 6


class AlbumentationsAugment:
    """Mirror, zoom, shift and crop; brightness, hue, blur; depth withheld or with holes.

    A crop holds an object where there is one. Sizes below the sample's are crops, not smaller
    pictures: objects keep the size that they have in service, so that what is learnt on cheap
    crops serves on whole views. Zoom leaves metric depth as it is: the same scene through a
    longer lens.
    """

    def __init__(self, options: Augmentation) -> None:
        self._options = options
        self._composed: dict[tuple[int, int], A.Compose] = {}

    def __call__(
        self, sample: Sample, *, rng: np.random.Generator, width_px: int, height_px: int
    ) -> Sample:
        compose = self._compose(width_px, height_px)
        compose.set_random_seed(int(rng.integers(2**31)))
        out = compose(
            image=sample.rgb,
            depth=sample.depth_mm,
            depth_true=sample.depth_true_mm,
            instances=sample.instances,
            bboxes=sample.box_xyxy_px,
            rows=np.arange(len(sample.class_id)),
        )
        rows = np.asarray(out["rows"], np.int64).reshape(-1)
        return replace(
            sample,
            rgb=out["image"],
            depth_mm=self._degrade(out["depth"], rng),
            depth_true_mm=out["depth_true"],
            instances=out["instances"],
            box_xyxy_px=np.asarray(out["bboxes"], np.float32).reshape(-1, 4),
            class_id=sample.class_id[rows],
            color_id=sample.color_id[rows],
            instance_id=sample.instance_id[rows],
        )

    def _compose(self, width_px: int, height_px: int) -> A.Compose:
        key = (width_px, height_px)
        if key not in self._composed:
            self._composed[key] = _compose(self._options, width_px, height_px)
        return self._composed[key]

    def _degrade(
        self, depth_mm: UInt16[np.ndarray, "h w"], rng: np.random.Generator
    ) -> UInt16[np.ndarray, "h w"]:
        if rng.random() < self._options.depth_withheld:
            return np.zeros_like(depth_mm)
        if rng.random() < self._options.depth_holes:
            return punch_holes(depth_mm, rng)
        return depth_mm


def punch_holes(
    depth_mm: UInt16[np.ndarray, "h w"], rng: np.random.Generator
) -> UInt16[np.ndarray, "h w"]:
    """Elliptic holes of up to a third of the size."""
    holed = depth_mm.copy()
    height, width = holed.shape
    for _ in range(int(rng.integers(1, MAX_HOLES + 1))):
        center = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.integers(4, width // 6)), int(rng.integers(4, height // 6)))
        cv2.ellipse(holed, center, axes, float(rng.uniform(0, 180)), 0, 360, 0, -1)
    return holed


def _compose(options: Augmentation, width_px: int, height_px: int) -> A.Compose:
    return A.Compose(
        [
            A.HorizontalFlip(p=options.flip),
            A.Affine(
                scale=(options.scale_min, options.scale_max),
                translate_percent=(-options.shift, options.shift),
                interpolation=cv2.INTER_LINEAR,
                mask_interpolation=cv2.INTER_NEAREST,
                fill=PAD_VALUE,
                fill_mask=0,
                p=1.0 if options.scale_min < 1 or options.scale_max > 1 else 0.0,
            ),
            A.AtLeastOneBBoxRandomCrop(height_px, width_px),
            A.RandomBrightnessContrast(
                brightness_limit=0.25, contrast_limit=0.25, p=options.color
            ),
            A.HueSaturationValue(
                hue_shift_limit=6, sat_shift_limit=25, val_shift_limit=0, p=options.color
            ),
            A.OneOf(
                [A.Blur(blur_limit=(3, 5)), A.ImageCompression(quality_range=(40, 90))],
                p=options.color / 2,
            ),
        ],
        bbox_params=A.BboxParams(
            format="pascal_voc",
            label_fields=["rows"],
            clip=True,
            min_width=SMALLEST_BOX_PX,
            min_height=SMALLEST_BOX_PX,
            min_visibility=SMALLEST_VISIBLE_PART,
        ),
        additional_targets={"depth": "mask", "depth_true": "mask", "instances": "mask"},
    )
