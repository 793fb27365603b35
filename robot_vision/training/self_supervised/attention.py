"""Objects from a vision transformer's attention: that of its last class token.

As shown by DINO (arXiv:2104.14294, section 4.2.2), compared with Otsu's threshold on colour.
"""

from dataclasses import dataclass
from typing import TypeGuard

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8

from robot_vision.codecs.stretch import stretched
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.encoders.vit import ViT

_MASS = 0.6  # share of the attention mass taken as foreground, as in the paper
_SHORT_SIDE_PATCHES = 20
_BORDER = 0.05  # border width, of the shorter side; its median colour is the background's

_Rgb = UInt8[np.ndarray, "h w 3"]
_Mask = Bool[np.ndarray, "h w"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Looked:
    """Each head's attention at the picture's size, and the threshold for its mass."""

    attention: Float32[np.ndarray, "heads h w"]
    threshold: Float32[np.ndarray, " heads"]

    def foreground(self) -> Bool[np.ndarray, "heads h w"]:
        """Each head's foreground."""
        return self.attention >= self.threshold[:, None, None]


def has_attention(encoder: object) -> TypeGuard[PictureEncoder]:
    """Whether an encoder has a class token whose attention can be looked at."""
    vit = encoder.net if isinstance(encoder, PictureEncoder) else None
    return isinstance(vit, ViT) and vit.spec.class_token


@torch.no_grad()
def look(encoder: PictureEncoder, rgb: _Rgb) -> Looked:
    """Attention of the class token of the last block, each head and, last, their mean.

    The picture is scaled until its shorter side has 20 patches.
    """
    vit = encoder.net
    assert isinstance(vit, ViT)
    height, width = rgb.shape[:2]
    patch_px = vit.spec.patch_px
    scale = _SHORT_SIDE_PATCHES / min(height, width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    shown = stretched(rgb, width_px=columns * patch_px, height_px=rows * patch_px)
    prepared = encoder.prepared(torch.from_numpy(shown[None]))
    of_class = vit.attention_maps(prepared)[-1][0, :, 0, -rows * columns :]
    of_class = torch.cat([of_class, of_class.mean(dim=0, keepdim=True)])
    cells = of_class.reshape(-1, rows, columns).numpy()
    attention = np.stack([cv2.resize(cell, (width, height)) for cell in cells])
    return Looked(
        attention=attention, threshold=np.array([_threshold(cell) for cell in cells], np.float32)
    )


def _threshold(cell: Float32[np.ndarray, "rows columns"]) -> float:
    """The value of the last patch needed for the mass, the most attended first."""
    falling = np.sort(cell, axis=None)[::-1]
    mass = np.cumsum(falling) / falling.sum()
    return float(falling[int(np.searchsorted(mass, _MASS))])


def otsu_foreground(rgb: _Rgb) -> _Mask:
    """Pixels whose colour (CIE Lab) differs from the border's by more than Otsu's threshold."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    width = max(1, round(_BORDER * min(rgb.shape[:2])))
    inner = np.ones(rgb.shape[:2], bool)
    inner[width:-width, width:-width] = False
    ground = np.median(lab[inner], axis=0)
    far = np.linalg.norm(lab - ground, axis=2).clip(0, 255).astype(np.uint8)
    _, mask = cv2.threshold(far, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return mask > 0


def overlap(found: _Mask, truth: _Mask) -> float:
    """Intersection over union; 1 where both are empty."""
    union = int((found | truth).sum())
    return int((found & truth).sum()) / union if union else 1.0
