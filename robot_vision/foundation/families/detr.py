"""DETR (arXiv:2005.12872), RT-DETR (arXiv:2304.08069) and D-FINE (arXiv:2410.13842): detectors."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.manifests.manifest import ModelManifest, OutputReading
from robot_vision.foundation.family import Asked, Family, Made, register_family
from robot_vision.foundation.library import load
from robot_vision.foundation.model_folder import ModelFolder
from robot_vision.foundation.pictures import IMAGENET, Usual, image_input
from robot_vision.models.card import Graph

_BY_SOFTMAX = {"detr": "DetrForObjectDetection"}
_BY_SIGMOID = {
    "rt_detr": "RTDetrForObjectDetection",
    "rt_detr_v2": "RTDetrV2ForObjectDetection",
    "d_fine": "DFineForObjectDetection",
}
_NOT_IMAGENET = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class _Boxes(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, pixels: Float[Tensor, "1 3 height width"]
    ) -> tuple[Float[Tensor, "1 queries classes"], Float[Tensor, "1 queries 4"]]:
        found = self.model(pixel_values=pixels)
        return found.logits, found.pred_boxes


def _make_detr(folder: ModelFolder, asked: Asked) -> Made:
    usual = Usual(size=800, is_square=False, resample=2, mean_std=IMAGENET)
    return _made(folder, asked, usual, OutputReading(activation="softmax", background="last"))


def _make_rtdetr(folder: ModelFolder, asked: Asked) -> Made:
    usual = Usual(size=640, is_square=True, resample=2, mean_std=_NOT_IMAGENET)
    return _made(folder, asked, usual, OutputReading())


def _made(folder: ModelFolder, asked: Asked, usual: Usual, reading: OutputReading) -> Made:
    model: Any = load(folder, (_BY_SOFTMAX | _BY_SIGMOID)[folder.kind])
    image = image_input(folder, usual, camera_px=asked.camera_px, size_px=asked.size_px)
    graph = Graph(
        file="model.onnx",
        module=_Boxes(model),
        example={"pixels": torch.zeros(1, 3, image.height_px, image.width_px)},
        outputs={"logits": "logits", "boxes": "boxes"},
    )
    manifest = ModelManifest(
        name=asked.name,
        task="detection",
        format="detr_logits",
        input=image,
        outputs=graph.outputs,
        reading=reading,
        classes=folder.classes(),
        score_threshold=asked.score_threshold,
    )
    return Made(graph=graph, manifest=manifest, is_a_set=folder.kind in _BY_SIGMOID)


_OPTIONS = ("size_px", "camera_px", "score_threshold")
register_family(
    Family(
        name="detr",
        about="detector of the classes that it was trained on",
        classes=_BY_SOFTMAX,
        make=_make_detr,
        options=_OPTIONS,
    )
)
register_family(
    Family(
        name="rtdetr",
        about="faster detectors of the same kind: RT-DETR, RT-DETRv2, D-FINE",
        classes=_BY_SIGMOID,
        make=_make_rtdetr,
        options=_OPTIONS,
    )
)
