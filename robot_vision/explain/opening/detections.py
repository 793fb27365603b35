"""A detector of any format as it is explained: by what the service would find."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from robot_vision.core.cameras.placement import place
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Detections
from robot_vision.model_store.store import Bundle
from robot_vision.perception.detect import Detector
from robot_vision.perception.model import ModelRun, load_model
from robot_vision.training.distillation.teacher import Run
from robot_vision.training.metrics.selected import SELECTION


def detections_of(bundle: Bundle) -> Run:
    """Boxes and scores by role of what is detected, after suppression, in pixels of the input."""
    manifest, image = bundle.manifest, bundle.manifest.input
    config = ServiceConfig(device="cpu", threads=torch.get_num_threads())
    model, detector = load_model(bundle, config), Detector(manifest, SELECTION)
    whole = place(image, width_px=image.width_px, height_px=image.height_px)

    def detected(inputs: Mapping[str, np.ndarray]) -> Detections:
        fed = {name: np.repeat(value, image.batch, axis=0) for name, value in inputs.items()}
        run = ModelRun(manifest=manifest, outputs=model.answer(fed), placement=whole)
        return detector.detections(run, stamp_ns=0)

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        arrays = {name: value.numpy() for name, value in inputs.items()}
        count = len(arrays[image.name])
        found = [
            detected({n: v[row : row + 1] for n, v in arrays.items()}) for row in range(count)
        ]
        return _rows(found, classes=len(manifest.classes))

    return run


def _rows(found: list[Detections], *, classes: int) -> dict[str, Tensor]:
    """As many rows as the fullest picture has detections, with a row of zeros at least."""
    most = max(1, *(len(one.score) for one in found))
    boxes, scores = torch.zeros(len(found), most, 4), torch.zeros(len(found), most, classes)
    for picture, one in enumerate(found):
        rows = np.arange(len(one.score))
        boxes[picture, rows] = torch.from_numpy(one.box_xyxy_px)
        scores[picture, rows, one.class_id] = torch.from_numpy(one.score)
    return {"boxes_xyxy": boxes, "scores": scores}
