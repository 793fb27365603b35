"""DINO (arXiv:2104.14294): any encoder, and a head that assigns pictures to prototypes."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Real
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.picture import PICTURE, noise_pictures
from robot_vision.models.registry import register_model
from robot_vision.models.self_supervised.served import FEATURES, SERVING, features_of

_SPREAD = 0.02  # standard deviation of initial weights, as in the paper's code


class DinoSpec(Params):
    encoder: EncoderChoice = EncoderChoice(name="vit-ti16")
    hidden: int = param(512, "width of the head's hidden layers", ge=4, le=16384)
    batch_norm: bool = param(
        False,
        "batch norms in the head: for convolutional encoders, whose pooled outputs are alike for "
        "all pictures at first",
    )
    bottleneck: int = param(128, "dimensions in which prototypes lie", ge=4, le=4096)
    prototypes: int = param(
        2048, "prototypes; the paper has 65536 for a million pictures", ge=4, le=2**20
    )


class DinoHead(nn.Module):
    """An MLP, then cosines to prototypes: the paper's last layer with its norms fixed at 1."""

    def __init__(self, dim: int, spec: DinoSpec) -> None:
        super().__init__()
        self.perceptron = nn.Sequential(
            *_hidden(dim, spec),
            *_hidden(spec.hidden, spec),
            nn.Linear(spec.hidden, spec.bottleneck),
        )
        self.prototypes = nn.Parameter(torch.randn(spec.prototypes, spec.bottleneck))
        for layer in self.perceptron:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=_SPREAD)
                nn.init.zeros_(layer.bias)

    def forward(self, pooled: Float[Tensor, "b d"]) -> Float[Tensor, "b prototypes"]:
        place = F.normalize(self.perceptron(pooled), dim=1)
        return F.linear(place, F.normalize(self.prototypes, dim=1))


def _hidden(dim: int, spec: DinoSpec) -> list[nn.Module]:
    norm = [nn.BatchNorm1d(spec.hidden)] if spec.batch_norm else []
    return [nn.Linear(dim, spec.hidden), *norm, nn.GELU()]


class Dino(nn.Module):
    """A picture → cosines to the prototypes as `output`, for training only, and the encoder's
    `features` and unit-norm `embedding`, which are served."""

    def __init__(self, spec: DinoSpec) -> None:
        super().__init__()
        self.encoder = PictureEncoder(spec.encoder)
        self.head = DinoHead(self.encoder.dim, spec)

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        encoded = self.encoder(rgb)
        served = features_of(encoded, self.encoder.strides)
        return {"output": self.head(encoded.pooled), **served}


register_model(
    Card(
        name="dino",
        about="An encoder that learns without labels, from its own average as a teacher.",
        paper="arXiv:2104.14294",
        task="dino",
        spec=DinoSpec(),
        tiny=DinoSpec(
            encoder=EncoderChoice(
                name="vit-ti16", options={"width": 16, "heads": 2, "depth": 2, "grid": (3, 2)}
            ),
            hidden=16,
            bottleneck=8,
            prototypes=16,
        ),
        build=Dino,
        example=noise_pictures,
        inputs=PICTURE,
        outputs={"output": "b prototypes", **FEATURES},
        most_parameters=6_500_000,
        serving=SERVING,
        limits="An encoder: its outputs serve other models, or to compare pictures.",
    )
)
