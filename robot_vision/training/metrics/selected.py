"""A model's findings in a sample: the service's own selection, with a lower threshold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64
from pycocotools import mask as rle

from robot_vision.core.manifests.manifest import ModelInput, ModelManifest, OutputReading
from robot_vision.core.parameters.config import DetectorConfig
from robot_vision.core.types import Detections
from robot_vision.formats.registry import FORMATS
from robot_vision.perception.detect import Detector
from robot_vision.perception.model import ModelRun
from robot_vision.perception.preprocess import place
from robot_vision.training.data.samples.samples import Sample

# Evaluation still sees lower-ranked classes, far below the score at which the service drops them.
SELECTION = DetectorConfig(score_threshold=0.02, nms_iou=0.6, max_detections=100)
MASK_PX = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class FoundBoxes:
    """The boxes that a model finds in one image, by falling score, in pixels of its input."""

    sample: Sample
    box_xyxy_px: Float32[np.ndarray, "n 4"]
    score: Float32[np.ndarray, " n"]
    class_id: Int64[np.ndarray, " n"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Found(FoundBoxes):
    """What a native model finds in one image: masks of the boxes, and depth."""

    mask: Bool[np.ndarray, "n hm wm"]
    depth_m: Float32[np.ndarray, "hm wm"]


class BoxSelection:
    """The service's detector for outputs of a model of any format that has no bundle yet.

    Samples fill the model's input: of `width_px` × `height_px` all, and nothing is padded.
    """

    def __init__(
        self,
        format: str,
        class_names: tuple[str, ...],
        *,
        width_px: int,
        height_px: int,
        reading: OutputReading | None = None,
    ) -> None:
        self._manifest = ModelManifest(
            name="in-training",
            task=FORMATS.get(format).task,
            format=format,
            input=ModelInput(name="rgb", width_px=width_px, height_px=height_px),
            reading=reading or OutputReading(),
            classes=class_names,
        )
        self._placement = place(self._manifest.input, width_px=width_px, height_px=height_px)
        self._detector = Detector(self._manifest, SELECTION)

    def boxes(self, sample: Sample, outputs: Mapping[str, np.ndarray]) -> FoundBoxes:
        """Boxes in a sample; `outputs` by role, each of a batch of one."""
        found = self._detections(outputs)
        return FoundBoxes(
            sample=sample,
            box_xyxy_px=found.box_xyxy_px,
            score=found.score,
            class_id=found.class_id,
        )

    def _detections(self, outputs: Mapping[str, np.ndarray]) -> Detections:
        run = ModelRun(manifest=self._manifest, outputs=dict(outputs), placement=self._placement)
        return self._detector.detections(run, stamp_ns=0)


class Selection(BoxSelection):
    """The same for native models, with masks and depth."""

    def __init__(self, class_names: tuple[str, ...], *, width_px: int, height_px: int) -> None:
        super().__init__("native", class_names, width_px=width_px, height_px=height_px)

    def __call__(self, sample: Sample, outputs: dict[str, np.ndarray]) -> Found:
        """Detections in a sample; `outputs` by role, each of a batch of one."""
        found = self._detections(outputs)
        assert found.mask is not None
        return Found(
            sample=sample,
            box_xyxy_px=found.box_xyxy_px,
            score=found.score,
            class_id=found.class_id,
            mask=found.mask,
            depth_m=outputs["depth_m"][0, 0],
        )


def encode_mask(mask: Bool[np.ndarray, "hm wm"]) -> dict[str, Any]:
    """COCO run lengths of a mask at the size of the input."""
    large = cv2.resize(
        mask.astype(np.uint8), None, fx=MASK_PX, fy=MASK_PX, interpolation=cv2.INTER_NEAREST
    )
    return dict(rle.encode(np.asfortranarray(large, np.uint8)))
