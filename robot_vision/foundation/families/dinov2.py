"""Picture features from DINOv2 (arXiv:2304.07193), with or without registers."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.foundation.family import Asked, Family, Made, register_family
from robot_vision.foundation.library import load
from robot_vision.foundation.model_folder import ModelFolder
from robot_vision.foundation.pictures import IMAGENET, Usual, image_input
from robot_vision.models.card import Graph

_CLASSES = {"dinov2": "Dinov2Model", "dinov2_with_registers": "Dinov2WithRegistersModel"}
_USUAL = Usual(size=224, is_square=False, resample=3, mean_std=IMAGENET)
_EMBEDDINGS = ("class", "mean", "both")


class _Features(nn.Module):
    """Patches as a map, and for the whole picture the class token, the patches' mean, or both."""

    def __init__(self, model: nn.Module, grid: tuple[int, int], *, apart: int, embedding: str):
        super().__init__()
        self.model, self.grid, self.apart, self.embedding = model, grid, apart, embedding

    def forward(
        self, pixels: Float[Tensor, "1 3 height width"]
    ) -> tuple[Float[Tensor, "1 channels rows columns"], Float[Tensor, "1 width_out"]]:
        tokens = self.model(pixel_values=pixels).last_hidden_state
        patches = tokens[:, self.apart :]
        whole = {"class": tokens[:, 0], "mean": patches.mean(dim=1)}
        pooled = (
            torch.cat(tuple(whole.values()), 1)
            if self.embedding == "both"
            else whole[self.embedding]
        )
        return patches.transpose(1, 2).unflatten(2, self.grid), F.normalize(pooled, dim=1)


def _make(folder: ModelFolder, asked: Asked) -> Made:
    if asked.embedding not in _EMBEDDINGS:
        raise ConfigError(f"embedding {asked.embedding!r}: expected {', '.join(_EMBEDDINGS)}")
    model = load(folder, _CLASSES[folder.kind])
    patch = int(model.config.patch_size)
    image = image_input(
        folder, _USUAL, camera_px=asked.camera_px, size_px=asked.size_px, multiple=patch
    )
    grid = image.height_px // patch, image.width_px // patch
    apart = 1 + int(getattr(model.config, "num_register_tokens", 0))
    graph = Graph(
        file="model.onnx",
        module=_Features(model, grid, apart=apart, embedding=asked.embedding),
        example={"pixels": torch.zeros(1, 3, image.height_px, image.width_px)},
        outputs={"features": "features", "embedding": "embedding"},
    )
    manifest = ModelManifest(
        name=asked.name,
        task="features",
        format="features",
        input=image,
        outputs=graph.outputs,
        feature_stride_px=patch,
    )
    return Made(graph=graph, manifest=manifest)


register_family(
    Family(
        name="dinov2",
        about="features: a map of patches, and an embedding (class token, mean, or both)",
        classes=_CLASSES,
        make=_make,
        options=("size_px", "camera_px", "embedding"),
    )
)
