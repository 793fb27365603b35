"""DETR (Carion et al., arXiv:2005.12872) on any encoder: a set of boxes, one per object."""

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card
from robot_vision.models.detection.detr_names import DETR_LAYOUTS
from robot_vision.models.detection.detr_parts import (
    DecoderLayer,
    EncoderLayer,
    Perceptron,
    sine_positions,
)
from robot_vision.models.detection.yolo_v1 import TINY_ENCODER
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.picture import PICTURE, noise_pictures, served_from_picture
from robot_vision.models.registry import register_model

_BOX_LAYERS = 3


class DetrSpec(Params):
    encoder: EncoderChoice = EncoderChoice()
    classes: int = param(10, "object classes; set by the training set", ge=1, le=10000)
    level: int = param(-1, "index of the encoder's map, finest first; -1 is the last", ge=-8, le=7)
    queries: int = param(50, "maximum objects per picture", ge=1, le=1000)
    width: int = param(
        128, "width of the transformer, a multiple of 4 and of `heads`", ge=4, le=4096
    )
    heads: int = param(8, "attention heads", ge=1, le=64)
    inner: int = param(512, "hidden width of the feed-forward layers", ge=1, le=65536)
    encoder_layers: int = param(3, "self-attention layers over the map's cells", ge=0, le=24)
    decoder_layers: int = param(3, "decoder layers", ge=1, le=24)
    dropout: float = param(0.1, "dropout in training", ge=0, lt=1)


class Detr(nn.Module):
    """A picture → `logits` [b,q,classes+1] ("no object" last) and `boxes` [b,q,4].

    Boxes are centre and size as fractions of the picture. Raises `ConfigError` if widths, heads
    or the encoder's maps do not fit.
    """

    def __init__(self, spec: DetrSpec) -> None:
        super().__init__()
        _check(spec)
        self.spec = spec
        self.encoder = PictureEncoder(spec.encoder)
        if not -len(self.encoder.channels) <= spec.level < len(self.encoder.channels):
            raise ConfigError(
                f"level = {spec.level}: encoder {spec.encoder.name!r} has "
                f"{len(self.encoder.channels)} maps, of strides {self.encoder.strides}"
            )
        layer = (spec.width, spec.heads, spec.inner, spec.dropout)
        self.project = nn.Conv2d(self.encoder.channels[spec.level], spec.width, 1)
        self.queries = nn.Embedding(spec.queries, spec.width)
        self.among = nn.ModuleList(EncoderLayer(*layer) for _ in range(spec.encoder_layers))
        self.decode = nn.ModuleList(DecoderLayer(*layer) for _ in range(spec.decoder_layers))
        self.norm = nn.LayerNorm(spec.width)
        self.classes = nn.Linear(spec.width, spec.classes + 1)
        self.boxes = Perceptron(spec.width, 4, _BOX_LAYERS)
        _begin(self)

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        found = self.found(self.decoded(self.map_of(rgb))[-1])
        return {role: value.float() for role, value in found.items()}

    def map_of(self, rgb: Real[Tensor, "b h w 3"]) -> Float[Tensor, "b c hm wm"]:
        """The encoder's map that the transformer reads."""
        return self.encoder(rgb).maps[self.spec.level]

    def decoded(self, encoded: Float[Tensor, "b _c hm wm"]) -> list[Float[Tensor, "b q d"]]:
        """The queries after each decoder layer, in order."""
        rows, columns = encoded.shape[2:]
        cells = self.project(encoded).flatten(2).transpose(1, 2)
        place = sine_positions(rows, columns, self.spec.width, device=cells.device)
        for layer in self.among:
            cells = layer(cells, place)
        query = self.queries.weight.expand(cells.shape[0], -1, -1)
        sought, known = torch.zeros_like(query), []
        for layer in self.decode:
            sought = layer(sought, query, cells, place)
            known.append(self.norm(sought))
        return known

    def found(self, known: Float[Tensor, "b q d"]) -> dict[str, Float[Tensor, "b q _n"]]:
        """Logits and boxes of a layer's queries."""
        return {"logits": self.classes(known), "boxes": self.boxes(known).sigmoid()}


def _check(spec: DetrSpec) -> None:
    if spec.width % 4 or spec.width % spec.heads:
        raise ConfigError(
            f"width = {spec.width}: expected a multiple of 4, for sines and cosines of two axes, "
            f"and of heads = {spec.heads}"
        )


def _begin(model: Detr) -> None:
    """Initial weights of the transformer as in the paper (Xavier).

    Queries start as zeros, so the value projection of the first layer has nothing to learn.
    """
    for part in (model.among, model.decode, model.boxes):
        for weight in part.parameters():
            if weight.ndim > 1:
                nn.init.xavier_uniform_(weight)
    first = model.decode[0]
    assert isinstance(first, DecoderLayer)
    first.attention.value.weight.requires_grad_(False)


card = Card(
    name="detr",
    about="A set of boxes without suppression: each query predicts one object, or none.",
    paper="arXiv:2005.12872",
    task="detr",
    spec=DetrSpec(),
    tiny=DetrSpec(
        encoder=TINY_ENCODER,
        classes=3,
        queries=5,
        width=16,
        heads=2,
        inner=24,
        encoder_layers=1,
        decoder_layers=2,
    ),
    build=Detr,
    example=noise_pictures,
    inputs=PICTURE,
    outputs={"logits": "b queries c", "boxes": "b queries 4"},
    most_parameters=14_000_000,
    serving=served_from_picture("detr_logits", "logits", "boxes"),
    layouts=DETR_LAYOUTS,
    limits=(
        "Sets of boxes are learnt slowly: with fewer than some thousand pictures fine-tune "
        "native-s or train yolo-v1."
    ),
)
register_model(card)
