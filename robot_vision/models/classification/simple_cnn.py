"""The small baseline of classification: convolutions, pooling, a mean and a linear layer."""

from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Real
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card
from robot_vision.models.layers.separable import ConvNorm
from robot_vision.models.picture import PICTURE, noise_pictures, served_from_picture
from robot_vision.models.registry import register_model


class SimpleCnnSpec(Params):
    classes: int = param(10, "classes; set by the training set", ge=2, le=65536)
    width: int = param(16, "channels of the first stage, doubled per stage", ge=1, le=1024)
    stages: int = param(4, "stages, each at half the size of the one before", ge=1, le=5)
    dropout: float = param(0.1, "dropout before the linear layer", ge=0, lt=1)


class SimpleCnn(nn.Module):
    """A picture → logits as `output`, and the unit-norm mean of the last map as `embedding`."""

    def __init__(self, spec: SimpleCnnSpec) -> None:
        super().__init__()
        widths = [3, *(spec.width * 2**stage for stage in range(spec.stages))]
        self.stages = nn.ModuleList(ConvNorm(a, b, kernel=3) for a, b in pairwise(widths))
        self.dropout = nn.Dropout(spec.dropout)
        self.head = nn.Linear(widths[-1], spec.classes)

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        x = rgb.permute(0, 3, 1, 2).float() / 64 - 2
        for stage in self.stages:
            x = F.max_pool2d(stage(x), 2)
        mean = x.mean(dim=(2, 3))
        embedding = F.normalize(mean, dim=1)
        return {"output": self.head(self.dropout(mean)), "embedding": embedding}


card = Card(
    name="simple-cnn",
    about="The small baseline of classification, which any better model must beat.",
    task="classification",
    spec=SimpleCnnSpec(),
    tiny=SimpleCnnSpec(classes=3, width=4),
    build=SimpleCnn,
    example=noise_pictures,
    inputs=PICTURE,
    outputs={"output": "b classes", "embedding": "b channels"},
    most_parameters=110_000,
    serving=served_from_picture("classification", "output", "embedding"),
)
register_model(card)
