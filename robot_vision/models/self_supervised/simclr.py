"""SimCLR (arXiv:2002.05709): any encoder, and a projection in which views are contrasted."""

from jaxtyping import Real
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.picture import PICTURE, noise_pictures
from robot_vision.models.registry import register_model
from robot_vision.models.self_supervised.served import FEATURES, SERVING, features_of


class SimClrSpec(Params):
    encoder: EncoderChoice = EncoderChoice()
    hidden: int = param(512, "width of the projection's hidden layer", ge=4, le=16384)
    projected: int = param(128, "dimensions in which views are compared", ge=4, le=4096)


class SimClr(nn.Module):
    """A picture → its `projection`, for training only, and the encoder's `features` and unit-norm
    `embedding`, which are served."""

    def __init__(self, spec: SimClrSpec) -> None:
        super().__init__()
        self.encoder = PictureEncoder(spec.encoder)
        self.projection = nn.Sequential(
            nn.Linear(self.encoder.dim, spec.hidden, bias=False),
            nn.BatchNorm1d(spec.hidden),
            nn.ReLU(),
            nn.Linear(spec.hidden, spec.projected),
        )

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        encoded = self.encoder(rgb)
        projected = self.projection(encoded.pooled)
        return {"projection": projected, **features_of(encoded, self.encoder.strides)}


register_model(
    Card(
        name="simclr",
        about="An encoder that learns without labels, by contrasting views of pictures.",
        paper="arXiv:2002.05709",
        task="simclr",
        spec=SimClrSpec(),
        tiny=SimClrSpec(
            encoder=EncoderChoice(name="resnet18", options={"depths": (1, 1, 1, 1), "width": 4}),
            hidden=16,
            projected=8,
        ),
        build=SimClr,
        example=noise_pictures,
        inputs=PICTURE,
        outputs={"projection": "b projected", **FEATURES},
        most_parameters=11_600_000,
        serving=SERVING,
        limits="An encoder: its outputs serve other models, or to compare pictures.",
    )
)
