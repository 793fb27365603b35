"""Pictures and captions in one space, learnt by contrast (CLIP, arXiv:2103.00020).

Any encoder of pictures, and a small encoder of words or the token encodings of a frozen sentence
encoder, each with a projection into the space. The picture's embedding is a weighted mean of those
of its cells (attention pooling, arXiv:1802.04712), which therefore lie in the space too: the map
shows where in a picture some words apply.
"""

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Real
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card, Graph, Serving, Size
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.layers.language import LanguageEncoder, mean_of_present
from robot_vision.models.picture import noise_pictures, picture_graphs, picture_input
from robot_vision.models.registry import register_model

TEXT_FILE, PICTURE_FILE = "text.onnx", "model.onnx"
TEXT_ROLE = "text_embedding"
TOKENS, ENCODINGS = "tokens", "encodings"
FIRST_TEMPERATURE = 0.07
MOST_SCALE = 100.0
_FINEST_PX = 16
_LEAST_COLOR_PX = 4
_ABSENT = -1e4


class PictureTextSpec(Params):
    encoder_at: ClassVar[str] = "picture.encoder.net."  # where `run.init_weights` puts an encoder

    encoder: EncoderChoice = EncoderChoice(name="native-s")
    dimensions: int = param(128, "dimensions of the common space", ge=2, le=4096)
    width: int = param(192, "width of the hidden layer between map and space", ge=1, le=4096)
    words: int = param(96, "size of the vocabulary; set by the captions", ge=1, le=100_000)
    max_words: int = param(40, "words of the longest text", ge=1, le=128)
    text_width: int = param(128, "width of the text encoder", ge=1, le=4096)
    text_heads: int = param(
        4, "attention heads of the text encoder; they divide `text_width`", ge=1, le=64
    )
    text_layers: int = param(2, "layers of the text encoder", ge=1, le=64)
    sentence_width: int = param(
        0,
        "width of a frozen sentence encoder's encodings, which replace the text encoder; 0: none",
        ge=0,
        le=8192,
    )


class PictureSide(nn.Module):
    """A picture → `embedding` [b,d] and `features` [b,d,rows,columns], both of unit norm.

    Uses the maps with strides of 16 px and more, at the resolution of the finest of them, and
    the raw colours in each cell, which an encoder trained on names of objects hardly keeps.
    """

    def __init__(self, spec: PictureTextSpec) -> None:
        super().__init__()
        self.encoder = PictureEncoder(spec.encoder)
        strides = self.encoder.strides
        self._maps = [row for row, s in enumerate(strides) if s >= _FINEST_PX] or [-1]
        stride = strides[self._maps[0]]
        sides = (px for px in range(_LEAST_COLOR_PX, stride) if stride % px == 0)
        self._color_px = next(sides, stride)
        self._parts = stride // self._color_px
        channels = 3 * self._parts**2 + sum(self.encoder.channels[row] for row in self._maps)
        self.cells = nn.Sequential(
            nn.Conv2d(channels, spec.width, 1),
            nn.GELU(),
            nn.Conv2d(spec.width, spec.dimensions, 1),
        )
        self.weight = nn.Sequential(
            nn.Conv2d(channels, spec.width, 1), nn.GELU(), nn.Conv2d(spec.width, 1, 1)
        )

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        prepared = self.encoder.prepared(rgb)
        maps = self.encoder.net(prepared).maps
        seen = [maps[row] for row in self._maps]
        size = seen[0].shape[2:]
        fitted = [F.interpolate(each, size, mode="nearest") for each in seen[1:]]
        joined = torch.cat([seen[0], *fitted, self._colors(prepared)], dim=1)
        cells = self.cells(joined)
        weight = self.weight(joined).flatten(2).softmax(dim=2)
        pooled = (cells.flatten(2) * weight).sum(dim=2)
        return {
            "features": F.normalize(cells, dim=1),
            "embedding": F.normalize(pooled, dim=1),
        }

    def _colors(self, prepared: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c rows columns"]:
        """Mean colours of the parts of each cell."""
        return F.pixel_unshuffle(F.avg_pool2d(prepared, self._color_px), self._parts)


class TextSide(nn.Module):
    """A text → its embedding of unit norm; token 0 is padding."""

    def __init__(self, spec: PictureTextSpec) -> None:
        super().__init__()
        self.language = LanguageEncoder(
            words=spec.words,
            max_words=spec.max_words,
            width=spec.text_width,
            heads=spec.text_heads,
            layers=spec.text_layers,
        )
        self.project = nn.Linear(spec.text_width, spec.dimensions)

    def forward(self, tokens: Int[Tensor, "b l"]) -> Float[Tensor, "b d"]:
        pooled = mean_of_present(self.language(tokens), tokens > 0)
        return F.normalize(self.project(pooled), dim=1)


class SentenceSide(nn.Module):
    """`forward(encodings f32 [b,l,w])`: as `TextSide`; rows of zeros are padding."""

    def __init__(self, spec: PictureTextSpec) -> None:
        super().__init__()
        self.read = nn.Sequential(
            nn.LayerNorm(spec.sentence_width),
            nn.Linear(spec.sentence_width, spec.text_width),
            nn.GELU(),
        )
        self.weight = nn.Linear(spec.text_width, 1)
        self.project = nn.Linear(spec.text_width, spec.dimensions)

    def forward(self, encodings: Tensor) -> Tensor:
        is_absent = (encodings == 0).all(dim=2, keepdim=True)
        read = self.read(encodings)
        weight = self.weight(read).masked_fill(is_absent, _ABSENT).softmax(dim=1)
        return F.normalize(self.project((read * weight).sum(dim=1)), dim=1)


class PictureText(nn.Module):
    """Both sides, and the scale of their similarities: the inverse of a learnt temperature."""

    def __init__(self, spec: PictureTextSpec) -> None:
        super().__init__()
        self.spec = spec
        self.picture = PictureSide(spec)
        self.text = SentenceSide(spec) if spec.sentence_width else TextSide(spec)
        self._is_frozen = False
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / FIRST_TEMPERATURE)))

    def freeze_encoder(self) -> None:
        """The encoder of pictures stays as it is, its norms too."""
        self._is_frozen = True
        self.picture.encoder.requires_grad_(False)
        self.picture.encoder.eval()

    def train(self, mode: bool = True) -> "PictureText":
        super().train(mode)
        if self._is_frozen:
            self.picture.encoder.eval()
        return self

    def forward(
        self, rgb: Real[Tensor, "b h w 3"], text: Int[Tensor, "t l"] | Float[Tensor, "t l e"]
    ) -> dict[str, Tensor]:
        """Pictures, and any number of texts as tokens or encodings; `scale` [b] is the same for
        all."""
        return {
            **self.picture(rgb),
            TEXT_ROLE: self.text(text),
            "scale": self.log_scale.exp().expand(len(rgb)),
        }

    @torch.no_grad()
    def clamp_scale(self) -> None:
        """Keep the scale between 1 and 100, as in the paper: otherwise training is unstable."""
        self.log_scale.clamp_(0.0, math.log(MOST_SCALE))


class _ServedText(nn.Module):
    def __init__(self, text: nn.Module) -> None:
        super().__init__()
        self.text = text

    def forward(
        self, text: Int[Tensor, "b l"] | Float[Tensor, "b l e"]
    ) -> tuple[Float[Tensor, "b d"]]:
        return (self.text(text),)


def example_inputs(spec: PictureTextSpec, batch: int) -> dict[str, Tensor]:
    """Noise pictures, and texts of different lengths."""
    draw = torch.Generator().manual_seed(0)
    words = torch.randint(1, spec.words + 1, (batch, spec.max_words), generator=draw)
    length = spec.max_words - torch.arange(batch)[:, None] % spec.max_words
    shown = torch.arange(spec.max_words) < length
    if not spec.sentence_width:
        return {**noise_pictures(spec, batch), TOKENS: words * shown}
    encodings = torch.randn(*words.shape, spec.sentence_width, generator=draw)
    return {**noise_pictures(spec, batch), ENCODINGS: encodings * shown[..., None]}


def _inputs(spec: PictureTextSpec) -> dict[str, str]:
    text = {ENCODINGS: "b l sentence_width"} if spec.sentence_width else {TOKENS: "b l"}
    return {"rgb": "b h w 3", **text}


def served_graphs(model: nn.Module, spec: PictureTextSpec, size: Size) -> tuple[Graph, ...]:
    """Two graphs: texts are encoded once, pictures as they arrive."""
    assert isinstance(model, PictureText)
    name = ENCODINGS if spec.sentence_width else TOKENS
    text = Graph(
        file=TEXT_FILE,
        module=_ServedText(model.text),
        example={name: example_inputs(spec, 2)[name]},
        outputs={TEXT_ROLE: TEXT_ROLE},
        dynamic={name: {0: torch.export.Dim("batch", min=1, max=4096)}},
    )
    return (text, *picture_graphs(model.picture, size, ("features", "embedding")))


register_model(
    Card(
        name="picture-text",
        about="Pictures and captions in one space: any encoder beside a small encoder of words.",
        paper="arXiv:2103.00020",
        task="alignment",
        spec=PictureTextSpec(),
        tiny=PictureTextSpec(
            encoder=EncoderChoice(name="resnet18", options={"depths": (1, 1, 1, 1), "width": 4}),
            dimensions=8,
            width=8,
            words=9,
            max_words=5,
            text_width=8,
            text_heads=2,
            text_layers=1,
        ),
        build=PictureText,
        example=example_inputs,
        inputs=_inputs,
        outputs={
            "features": "b dimensions rows columns",
            "embedding": "b dimensions",
            TEXT_ROLE: "b dimensions",
            "scale": "b",
        },
        most_parameters=6_000_000,
        serving=Serving(
            graphs=served_graphs,
            format="features",
            image=lambda _spec, size: picture_input(size),
        ),
        limits=(
            "It knows only words of its captions, unless a frozen sentence encoder reads them; "
            "similarities rank pictures, they are not probabilities."
        ),
    )
)
