"""Camera effects on a picture: blur, tone curve, local contrast, noise."""

import kornia.augmentation as K
import torch
from jaxtyping import Float
from torch import Tensor, nn

_GAMMA = (0.6, 1.6)
_CLAHE_LIMIT = (1.0, 4.0)
_CLAHE_TILES = (8, 8)
# The strongest noise, as a part of the range: a camera in a dark room.
_NOISE = 0.06
_WHITE = 255.0


def blurred(rgb: Float[Tensor, "b 3 h w"], *, part: float) -> Float[Tensor, "b 3 h w"]:
    """Part `part` of samples out of focus."""
    return K.RandomGaussianBlur((5, 5), (0.1, 1.5), p=part)(rgb)


def developed(
    rgb: Float[Tensor, "b 3 h w"], *, gamma: float, clahe: float
) -> Float[Tensor, "b 3 h w"]:
    """Parts of samples [B,3,h,w], 0 to 255, with a changed tone curve, and with equalised local
    contrast (CLAHE: Zuiderveld, Graphics Gems IV, 1994). Draws only for parts above 0.
    """
    changes: list[nn.Module] = []
    if gamma > 0:
        changes.append(K.RandomGamma(_GAMMA, (1.0, 1.0), p=gamma))
    if clahe > 0:
        changes.append(K.RandomClahe(_CLAHE_LIMIT, _CLAHE_TILES, p=clahe))
    for change in changes:
        rgb = change(rgb / _WHITE) * _WHITE
    return rgb


def noisy(rgb: Float[Tensor, "b 3 h w"], *, part: float) -> Float[Tensor, "b 3 h w"]:
    """Part `part` of samples with noise of each pixel and colour, 0 to 255."""
    strength, chance = torch.rand(2, len(rgb), 1, 1, 1, device=rgb.device)
    deviation = torch.where(chance < part, strength * _NOISE * _WHITE, 0.0)
    return (rgb + torch.randn_like(rgb) * deviation).clamp_(0, _WHITE)
