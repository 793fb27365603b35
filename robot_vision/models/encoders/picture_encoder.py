"""An encoder that takes raw pixels and prepares them itself, for models of colour pictures.

An exported graph therefore always includes the preparation.
"""

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn

from robot_vision.models.encoders.encoder import (
    ENCODERS,
    Encoded,
    EncoderChoice,
    build_encoder,
    check_size,
)


class PictureEncoder(nn.Module):
    """Pixels → `Encoded`; raises `ConfigError` for sizes that the strides do not divide."""

    mean: Float[Tensor, "3 1 1"]
    std: Float[Tensor, "3 1 1"]

    def __init__(self, choice: EncoderChoice) -> None:
        super().__init__()
        self._name = choice.name
        self.net = build_encoder(choice)
        self.strides, self.channels, self.dim = self.net.strides, self.net.channels, self.net.dim
        preparation = self.net.preparation or ENCODERS.get(choice.name).preparation
        for name, values in (("mean", preparation.mean), ("std", preparation.std)):
            scaled = 255 * torch.tensor(values).reshape(3, 1, 1)
            self.register_buffer(name, scaled, persistent=False)

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> Encoded:
        return self.net(self.prepared(rgb))

    def prepared(self, rgb: Real[Tensor, "b h w 3"]) -> Float[Tensor, "b 3 h w"]:
        """Pixels as the encoder takes them; raises `ConfigError` as `forward` does."""
        height_px, width_px = int(rgb.shape[1]), int(rgb.shape[2])
        check_size(height_px, width_px, stride_px=max(self.strides), name=self._name)
        return (rgb.permute(0, 3, 1, 2).float() - self.mean) / self.std
