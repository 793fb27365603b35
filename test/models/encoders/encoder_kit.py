"""Encoders as tests build them, and how their answers are compared."""

from typing import Any

import torch
from torch import Tensor, nn

from robot_vision.models.encoders.encoder import ENCODERS, Encoded, Encoder, EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder


def shaken(module: nn.Module, *, by: float = 0.02) -> None:
    """Weights and statistics that differ from those that training begins at."""
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += by * torch.randn(parameter.shape, generator=draw)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer += by * torch.randn(buffer.shape, generator=draw)
            if name.endswith("running_var"):
                buffer += by * torch.rand(buffer.shape, generator=draw)


def tiny_encoder(name: str) -> Encoder:
    """The encoder of a card's tiny spec, with shaken weights."""
    card = ENCODERS.get(name)
    torch.manual_seed(0)
    encoder = card.build(card.tiny)
    shaken(encoder)
    return encoder


def tiny_picture_encoder(name: str) -> PictureEncoder:
    """The same as models have it."""
    torch.manual_seed(0)
    options = ENCODERS.get(name).tiny.model_dump()
    encoder = PictureEncoder(EncoderChoice(name=name, options=options))
    shaken(encoder)
    return encoder


def pictures(batch: int, height_px: int, width_px: int) -> Tensor:
    """Noise, f32 [b,3,h,w]."""
    return torch.randn(batch, 3, height_px, width_px, generator=torch.Generator().manual_seed(1))


def encode(encoder: nn.Module, x: Tensor) -> Encoded:
    with torch.no_grad():
        return encoder(x)


def assert_equal_outputs(
    ours: Encoded, maps: list[Any] | tuple[Any, ...], pooled: Tensor | None
) -> None:
    """Maps, and the pooled vector where there is one, within 1e-5 of the largest value."""
    assert len(ours.maps) == len(maps)
    for own, other in zip(ours.maps, maps, strict=True):
        _assert_near(own, other)
    if pooled is not None:
        _assert_near(ours.pooled, pooled.flatten(1))


def _assert_near(own: Tensor, other: Tensor) -> None:
    assert own.shape == other.shape
    assert other.abs().max() > 1e-3
    scale = max(1.0, float(other.abs().max()))
    torch.testing.assert_close(own / scale, other / scale, rtol=0, atol=1e-5)
