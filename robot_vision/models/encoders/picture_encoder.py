"""An encoder as models of colour pictures have it: fed with pixels, which it prepares itself.

A graph that prepares its pixels cannot be exported without its preparation.
"""

import torch
from torch import Tensor, nn

from robot_vision.models.encoders.encoder import (
    ENCODERS,
    Encoded,
    EncoderChoice,
    build_encoder,
    check_size,
)


class PictureEncoder(nn.Module):
    """`forward(rgb u8 [b,h,w,3]) -> Encoded`; raises `ConfigError` at sizes that do not fit."""

    mean: Tensor
    std: Tensor

    def __init__(self, choice: EncoderChoice) -> None:
        super().__init__()
        self._name = choice.name
        self.net = build_encoder(choice)
        self.strides, self.channels, self.dim = self.net.strides, self.net.channels, self.net.dim
        preparation = self.net.preparation or ENCODERS.get(choice.name).preparation
        for name, values in (("mean", preparation.mean), ("std", preparation.std)):
            scaled = 255 * torch.tensor(values).reshape(3, 1, 1)
            self.register_buffer(name, scaled, persistent=False)

    def forward(self, rgb: Tensor) -> Encoded:
        return self.net(self.prepared(rgb))

    def prepared(self, rgb: Tensor) -> Tensor:
        """Pixels u8 [b,h,w,3] as the encoder takes them, f32 [b,3,h,w]; raises `ConfigError`."""
        height_px, width_px = int(rgb.shape[1]), int(rgb.shape[2])
        check_size(height_px, width_px, stride_px=max(self.strides), name=self._name)
        return (rgb.permute(0, 3, 1, 2).float() - self.mean) / self.std
