"""Depth from one picture: Depth Anything V2 (arXiv:2406.09414) and DPT (arXiv:2103.13413)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.foundation.family import Asked, Family, Made, register_family
from robot_vision.foundation.library import load
from robot_vision.foundation.model_folder import ModelFolder
from robot_vision.foundation.pictures import IMAGENET, Usual, image_input
from robot_vision.models.card import Graph

_CLASSES = {"depth_anything": "DepthAnythingForDepthEstimation", "dpt": "DPTForDepthEstimation"}
_USUAL = Usual(size=384, is_square=True, resample=3, mean_std=IMAGENET)
# The first fusion layer has nothing to fuse, and published weights lack its parameters.
_UNUSED = "neck.fusion_stage.layers.0.residual_layer1."
_FORMATS = ("depth_relative", "depth_metric")


class _Depth(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, pixels: Float[Tensor, "1 3 height width"]
    ) -> tuple[Float[Tensor, "1 depth_height depth_width"]]:
        return (self.model(pixel_values=pixels).predicted_depth,)


def _make(folder: ModelFolder, asked: Asked) -> Made:
    is_metric = folder.config.get("depth_estimation_type") == "metric"
    format = asked.format or _FORMATS[is_metric]
    if format not in _FORMATS:
        raise ConfigError(f"format {format!r} is not for depth: expected {' or '.join(_FORMATS)}")
    model = load(folder, _CLASSES[folder.kind], unused=_UNUSED)
    image = image_input(
        folder,
        _USUAL,
        camera_px=asked.camera_px,
        size_px=asked.size_px,
        multiple=int(folder.processor.get("ensure_multiple_of") or 1),
    )
    graph = Graph(
        file="model.onnx",
        module=_Depth(model),
        example={"pixels": torch.zeros(1, 3, image.height_px, image.width_px)},
        outputs={"depth": "depth"},
    )
    manifest = ModelManifest(
        name=asked.name, task="depth", format=format, input=image, outputs=graph.outputs
    )
    said = "metres" if format == "depth_metric" else "nearness up to scale and shift"
    guess = (
        ""
        if asked.format or "depth_estimation_type" in folder.config
        else (", as usual for DPT; --format depth_metric if it was trained on metres")
    )
    return Made(graph=graph, manifest=manifest, notes=(f"depth is {said}{guess}",))


register_family(
    Family(
        name="depth",
        about="depth of one picture: Depth Anything (relative or metres), DPT",
        classes=_CLASSES,
        make=_make,
        options=("size_px", "camera_px", "format"),
    )
)
