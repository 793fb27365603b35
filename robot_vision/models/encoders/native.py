"""The encoder of `native-s` for pictures without depth, for transfer from its bundle.

Its parts have the same names as in the whole model, so the bundle's file loads unchanged.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from robot_vision.models.encoders.encoder import (
    Encoded,
    Encoder,
    EncoderCard,
    Preparation,
    register_encoder,
)
from robot_vision.models.encoders.layout import Layout
from robot_vision.models.multitask import native_parts as native

_MEAN_PX, _STD_PX = 127.5, 64.0  # as in `network_input`


class NativeEncoder(Encoder):
    """Maps of the four stages; `pooled` is the mean of the last.

    Relief is computed for missing depth, as in the trained model. It is the same for every
    picture, so it is not trained, and its norms keep their statistics.
    """

    strides = (4, 8, 16, 32)

    def __init__(self, spec: native.NativeSpec) -> None:
        super().__init__()
        self.relief = native.Relief(spec).requires_grad_(False).eval()
        self.encoder = native.DepthwiseEncoder(spec)
        self.channels = spec.widths
        self.dim = spec.widths[-1]

    def train(self, mode: bool = True) -> "NativeEncoder":
        super().train(mode)
        self.relief.eval()
        return self

    def forward(self, picture: Float[Tensor, "b 3 h w"]) -> Encoded:
        no_depth = torch.zeros_like(picture[:, :2])
        maps = self.encoder(torch.cat([picture, no_depth], dim=1), self._relief(picture))
        return Encoded(maps=tuple(maps), pooled=maps[-1].mean(dim=(2, 3)))

    def _relief(self, picture: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "1 _c _h _w"]]:
        """Relief of a picture without depth, which all pictures share."""
        nothing = picture.new_zeros(1, 1, *picture.shape[2:])
        sensor = native.sensor_depth(nothing, nothing)
        focal_px = picture.new_full((1, 1), native.NOMINAL_FOCAL_PX)
        return self.relief(native.shape_input(sensor, focal_px))


_MEAN = _MEAN_PX / 255
_STD = _STD_PX / 255
_HEADS = ("neck.", "heads.", "decoder.", "features.", "embedding.")
card = EncoderCard(
    name="native-s",
    about="The encoder of the shipped model native-s, from colour alone.",
    spec=native.NativeSpec(),
    tiny=native.NativeSpec(stem=8, widths=(8, 8, 16, 16), depths=(1, 1, 1, 1), relief=(4, 8, 8)),
    build=NativeEncoder,
    preparation=Preparation(
        width_px=416, height_px=320, mean=(_MEAN, _MEAN, _MEAN), std=(_STD, _STD, _STD)
    ),
    layouts=(Layout(name="native-s", public=lambda name, _spec: name, heads=_HEADS),),
    limits="It takes no depth: for a model with depth use native-s itself.",
)
register_encoder(card)
