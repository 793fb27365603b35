"""Shared by models of one picture: an example, the graph that serves them, its input."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn

from robot_vision.core.manifests.manifest import ModelInput
from robot_vision.core.parameters.params import Params
from robot_vision.models.card import Graph, Serving, Size

PICTURE = {"rgb": "b h w 3"}
_EXAMPLE_WIDTH_PX, _EXAMPLE_HEIGHT_PX = 96, 64
PAD_VALUE = 114  # as in training samples


def noise_pictures(spec: Params, batch: int) -> dict[str, Tensor]:
    """An example for a card: `rgb` u8 [b,h,w,3] of noise, with sides that are multiples of 32."""
    del spec
    size = (batch, _EXAMPLE_HEIGHT_PX, _EXAMPLE_WIDTH_PX, 3)
    draw = torch.Generator().manual_seed(0)
    return {"rgb": torch.randint(0, 256, size, dtype=torch.uint8, generator=draw)}


def served_from_picture(format: str, *roles: str) -> Serving[Any]:
    """Serving of a model that takes `rgb` u8 [b,h,w,3] and returns outputs by role."""
    return Serving(graphs=_graphs(roles), format=format, image=_image)


class _InOrder(nn.Module):
    """The model as exported: it returns a tuple in the order of its roles."""

    def __init__(self, model: nn.Module, roles: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.roles = roles

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> tuple[Float[Tensor, "b ..."], ...]:
        answer = self.model(rgb)
        return tuple(answer[role] for role in self.roles)


def _graphs(roles: tuple[str, ...]) -> Callable[[nn.Module, Any, Size], tuple[Graph, ...]]:
    def graphs(model: nn.Module, spec: Any, size: Size) -> tuple[Graph, ...]:
        del spec
        return picture_graphs(model, size, roles)

    return graphs


def picture_graphs(model: nn.Module, size: Size, roles: tuple[str, ...]) -> tuple[Graph, ...]:
    """The single graph of a model that takes `rgb` u8 [b,h,w,3] and returns outputs by role."""
    rgb = torch.zeros(2, size.height_px, size.width_px, 3, dtype=torch.uint8)
    return (
        Graph(
            file="model.onnx",
            module=_InOrder(model, roles),
            example={"rgb": rgb},
            outputs={role: role for role in roles},
            dynamic={"rgb": {0: torch.export.Dim("batch", min=1, max=256)}},
        ),
    )


def _image(spec: Any, size: Size) -> ModelInput:
    del spec
    return picture_input(size)


def picture_input(size: Size) -> ModelInput:
    """Raw pixels: the graph scales them."""
    return ModelInput(
        name="rgb",
        width_px=size.width_px,
        height_px=size.height_px,
        pad_value=PAD_VALUE,
        depth_name="",
        focal_name="",
        size_name="",
        dtype="uint8",
        layout="nhwc",
    )
