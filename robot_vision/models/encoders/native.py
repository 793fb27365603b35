"""The native model's encoder for colour alone, as it sees frames without a depth sensor."""

import torch
from torch import Tensor

from robot_vision.models.encoders.encoder import (
    Encoded,
    Encoder,
    EncoderCard,
    Preparation,
    register_encoder,
)
from robot_vision.models.encoders.layout import Layout
from robot_vision.models.multitask.native_parts import Encoder as Stages
from robot_vision.models.multitask.native_parts import NativeSpec
from robot_vision.models.registry import MODELS

_STRIDES = (4, 8, 16, 32)
# Beside the encoder in a file of the whole model.
_REST = ("relief.", "neck.", "heads.", "decoder.", "features.", "embedding.")
_MIDDLE, _SPREAD = (0.5, 0.5, 0.5), (64 / 255, 64 / 255, 64 / 255)


class NativeEncoder(Encoder):
    """Maps of its four stages; `pooled` is the mean of the last.

    Its two inputs of depth are zero, as they were for a third of the samples of its training.
    """

    def __init__(self, spec: NativeSpec) -> None:
        super().__init__()
        self.encoder = Stages(spec)
        self.strides, self.channels, self.dim = _STRIDES, spec.widths, spec.widths[-1]

    def forward(self, picture: Tensor) -> Encoded:
        without_depth = torch.zeros_like(picture[:, :2])
        maps = self.encoder(torch.cat([picture, without_depth], dim=1), [])
        return Encoded(maps=tuple(maps), pooled=maps[-1].mean(dim=(2, 3)))


def _register(name: str) -> None:
    card = MODELS.get(name)
    register_encoder(
        EncoderCard(
            name=name,
            about=f"Encoder of {name}, without depth. Bundles of {name} have its weights.",
            spec=card.spec,
            tiny=card.tiny,
            build=NativeEncoder,
            preparation=Preparation(width_px=416, height_px=320, mean=_MIDDLE, std=_SPREAD),
            layouts=(Layout(name="native", public=lambda name, *_: name, heads=_REST),),
            paper="arXiv:1704.04861",
        )
    )


_register("native-s")
_register("native-m")
