"""Lighting changes of samples: brightness, contrast, colour and hue by one matrix each."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Brightness, contrast and saturation as factors about 1, hue as a part of the circle.
_LIGHT = 0.25
_HUE = 0.02
_TURNED_SATURATION = (0.3, 1.3)
_GREY = 127.5


def relit(
    rgb: Float[Tensor, "b 3 h w"],
    *,
    color: float,
    hue: float,
    light: float = _LIGHT,
    tint: float = _HUE,
) -> tuple[Float[Tensor, "b 3 h w"], Bool[Tensor, " b"]]:
    """Part `color` of samples [B,3,h,w] in another light, part `hue` with all hues shifted by one
    angle; and which of them were shifted [B].

    Another light: brightness, contrast and saturation by factors within `light` of 1, hue by a
    part of the circle within `tint`. Everything is linear in colour: one matrix per sample, about
    mid grey.
    """
    chance, angle, level, contrast, vivid = torch.rand(5, len(rgb), device=rgb.device)
    turned = chance < hue
    lit = torch.rand(len(rgb), device=rgb.device) < color
    angle = torch.where(turned, angle, lit * tint * (2 * angle - 1))
    low, high = _TURNED_SATURATION
    vivid = torch.where(turned, low + (high - low) * vivid, _factors(vivid, lit, light))
    turns = hue_turns(2 * torch.pi * angle, saturation=vivid)
    gain = _factors(level, lit, light)[:, None, None]
    matrix = turns * gain * _factors(contrast, lit, light)[:, None, None]
    offset = gain * _GREY - (matrix * _GREY).sum(dim=2, keepdim=True)
    changed = torch.baddbmm(offset, matrix, rgb.flatten(2)).view_as(rgb)
    touched = (turned | lit)[:, None, None, None]
    return torch.where(touched, changed.clamp_(0, 255), rgb), turned


def hue_turns(
    angle_rad: Float[Tensor, " b"], *, saturation: Float[Tensor, " b"]
) -> Float[Tensor, "b 3 3"]:
    """Matrices [B,3,3] that rotate RGB about the grey axis, which stays unchanged."""
    device = angle_rad.device
    grey = torch.full((3, 3), 1 / 3, device=device)
    around = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=device) / 3**0.5
    sin, cos, kept = (v[:, None, None] for v in (angle_rad.sin(), angle_rad.cos(), saturation))
    return grey + kept * (cos * (torch.eye(3, device=device) - grey) + sin * around)


def _factors(
    chance: Float[Tensor, " b"], chosen: Bool[Tensor, " b"], light: float
) -> Float[Tensor, " b"]:
    """Factors about 1 from uniform numbers, 1 where not chosen."""
    return 1 + chosen * light * (2 * chance - 1)
