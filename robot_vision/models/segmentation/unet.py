"""U-Net (Ronneberger et al., arXiv:1505.04597) on any encoder, at a quarter of the size.

Label maps in service and training sets have this size too: at full size the last two steps cost
as much as all steps before them and move edges by a pixel.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Real
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.layers.separable import ConvNorm
from robot_vision.models.picture import PICTURE, noise_pictures, served_from_picture
from robot_vision.models.registry import register_model

OUTPUT_STRIDE_PX = 4
_WIDEST = 8  # times the width at a quarter of the size
Upsampling = Literal["bilinear", "transposed"]


class UNetSpec(Params):
    encoder: EncoderChoice = EncoderChoice()
    classes: int = param(2, "classes of a label map; set by the training set", ge=2, le=255)
    width: int = param(
        32, "channels at a quarter of the size, doubled for each coarser map", ge=1, le=512
    )
    upsampling: Upsampling = param(
        "bilinear", "upsampling of maps: bilinear or transposed convolution"
    )


class _Up(nn.Module):
    """Upsamples a map by the ratio of two strides, concatenates the encoder's map, convolves."""

    def __init__(
        self, in_width: int, skip_width: int, width: int, *, ratio: float, spec: UNetSpec
    ) -> None:
        super().__init__()
        self._enlarges = ratio != 1
        self.enlarge: nn.Module = ConvNorm(in_width, width)
        if spec.upsampling == "transposed" and self._enlarges:
            if ratio != int(ratio):
                raise ConfigError(
                    f"spec.upsampling = 'transposed' upsamples by integer factors; this encoder "
                    f"needs {ratio:g}: use 'bilinear'"
                )
            self.enlarge = nn.ConvTranspose2d(in_width, width, int(ratio), stride=int(ratio))
        self.convs = nn.Sequential(
            ConvNorm(width + skip_width, width, kernel=3), ConvNorm(width, width, kernel=3)
        )

    def forward(
        self,
        x: Float[Tensor, "b _c _h _w"],
        skip: Float[Tensor, "b _c hm wm"] | None,
        size: tuple[int, int],
    ) -> Float[Tensor, "b c hm wm"]:
        x = self.enlarge(x)
        if x.shape[2:] != size:
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        return self.convs(x if skip is None else torch.cat([x, skip], dim=1))


class UNet(nn.Module):
    """A picture → logits of a label map at a quarter of its size, as `output`.

    The decoder uses all of the encoder's maps with strides of 4 px or more. Where the finest of
    them is coarser than 4 px, it upsamples further without one.
    """

    def __init__(self, spec: UNetSpec) -> None:
        super().__init__()
        self.encoder = PictureEncoder(spec.encoder)
        maps = list(zip(self.encoder.strides, self.encoder.channels, strict=True))
        skips = [(row, *found) for row, found in enumerate(maps) if found[0] >= OUTPUT_STRIDE_PX]
        if not skips:
            raise ConfigError(
                f"encoder {spec.encoder.name!r} has maps of strides {self.encoder.strides} px; "
                f"expected one of {OUTPUT_STRIDE_PX} px or more"
            )
        self._deepest, stride, in_width = skips.pop()
        steps = [(row, s, channels) for row, s, channels in reversed(skips)]
        steps += [(-1, s, 0) for s in _strides_below(steps[-1][1] if steps else stride)]
        self._steps = [(row, s) for row, s, _ in steps]
        self.ups = nn.ModuleList()
        for number, (_, finer, channels) in enumerate(steps):
            width = spec.width * min(_WIDEST, 2 ** (len(steps) - 1 - number))
            up = _Up(in_width, channels, width, ratio=stride / finer, spec=spec)
            self.ups.append(up)
            stride, in_width = finer, width
        self.head = nn.Conv2d(in_width, spec.classes, 1)

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        maps = self.encoder(rgb).maps
        x = maps[self._deepest]
        for up, (row, stride) in zip(self.ups, self._steps, strict=True):
            skip = maps[row] if row >= 0 else None
            size = (int(rgb.shape[1]) // stride, int(rgb.shape[2]) // stride)
            x = up(x, skip, size)
        return {"output": self.head(x)}


def _strides_below(stride: int) -> list[int]:
    """Strides from that of a map down to that of the output, each half of the one before."""
    found = []
    while stride > OUTPUT_STRIDE_PX:
        stride = max(OUTPUT_STRIDE_PX, stride // 2)
        found.append(stride)
    return found


card = Card(
    name="unet",
    about="The class of each pixel at a quarter of the size, by any encoder.",
    paper="arXiv:1505.04597",
    task="segmentation",
    spec=UNetSpec(),
    tiny=UNetSpec(
        encoder=EncoderChoice(name="resnet18", options={"depths": (1, 1, 1, 1), "width": 4}),
        classes=3,
        width=2,
    ),
    build=UNet,
    example=noise_pictures,
    inputs=PICTURE,
    outputs={"output": "b classes h/4 w/4"},
    most_parameters=13_000_000,
    serving=served_from_picture("semantic", "output"),
)
register_model(card)
