"""Pictures and labels blended in pairs (Zhang et al., arXiv:1710.09412)."""

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor


def mixed(
    rgb: UInt8[Tensor, "b h w 3"], target: Float32[Tensor, "b c"], *, alpha: float
) -> tuple[UInt8[Tensor, "b h w 3"], Float32[Tensor, "b c"]]:
    """Blends each picture with part of another; `alpha` 0 changes nothing and draws nothing.

    The part is drawn from Beta(alpha, alpha), one per picture, by torch's global generator.
    """
    if alpha == 0:
        return rgb, target
    part = torch.distributions.Beta(alpha, alpha).sample((len(rgb),)).to(target)
    other = torch.randperm(len(rgb), device=rgb.device)
    blended = torch.lerp(rgb[other].float(), rgb.float(), part[:, None, None, None])
    return blended.round().to(torch.uint8), torch.lerp(target[other], target, part[:, None])
