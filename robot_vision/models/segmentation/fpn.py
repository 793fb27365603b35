"""A pyramid on any encoder with three heads: classes in view, a coarse and a fine label map."""

from jaxtyping import Real
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.layers.pyramid import Pyramid
from robot_vision.models.layers.separable import SeparableBlock
from robot_vision.models.picture import PICTURE, noise_pictures, served_from_picture
from robot_vision.models.registry import register_model

FINE_STRIDE, MEDIUM_STRIDE, COARSE_STRIDE = 4, 16, 32
_STRIDES = (4, 8, 16, 32)


class FpnSpec(Params):
    encoder: EncoderChoice = EncoderChoice()
    classes: int = param(2, "classes of a label map; set by the training set", ge=2, le=255)
    width: int = param(64, "channels of the pyramid's levels", ge=2, le=1024)


class Fpn(nn.Module):
    """A picture → logits of three heads.

    `output` (fine) and `medium`: the class of each pixel, at strides 4 and 16. `coarse`: for each
    class independently, whether it is anywhere in view.
    """

    def __init__(self, spec: FpnSpec) -> None:
        super().__init__()
        self.encoder = PictureEncoder(spec.encoder)
        self.pyramid = Pyramid(
            self.encoder.strides,
            self.encoder.channels,
            width=spec.width,
            strides=_STRIDES,
            wanted=(FINE_STRIDE, MEDIUM_STRIDE, COARSE_STRIDE),
        )
        coarse = nn.Linear(spec.width, spec.classes)
        self.head = nn.ModuleDict(
            {"fine": _map_head(spec), "medium": _map_head(spec), "coarse": coarse}
        )

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        levels = self.pyramid(self.encoder(rgb).maps)
        return {
            "output": self.head["fine"](levels[FINE_STRIDE]),
            "medium": self.head["medium"](levels[MEDIUM_STRIDE]),
            "coarse": self.head["coarse"](levels[COARSE_STRIDE].mean(dim=(2, 3))),
        }


def _map_head(spec: FpnSpec) -> nn.Sequential:
    block = SeparableBlock(spec.width, spec.width, kernel=5)
    return nn.Sequential(block, nn.Conv2d(spec.width, spec.classes, 1))


card = Card(
    name="fpn",
    about="Label maps at strides 4 and 16, and which classes are in view, from one pyramid.",
    paper="arXiv:1612.03144, arXiv:2203.16527",
    task="segmentation",
    spec=FpnSpec(),
    tiny=FpnSpec(
        encoder=EncoderChoice(name="resnet18", options={"depths": (1, 1, 1, 1), "width": 4}),
        classes=3,
        width=4,
    ),
    build=Fpn,
    example=noise_pictures,
    inputs=PICTURE,
    outputs={
        "output": "b classes h/4 w/4",
        "medium": "b classes h/16 w/16",
        "coarse": "b classes",
    },
    most_parameters=12_000_000,
    serving=served_from_picture("semantic", "output", "medium", "coarse"),
)
register_model(card)
