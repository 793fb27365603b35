"""Classification of a picture by any encoder: its pooled output, dropout, a linear layer."""

import torch.nn.functional as F
from jaxtyping import Real
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.picture import PICTURE, noise_pictures, served_from_picture
from robot_vision.models.registry import register_model

_FEATURE_STRIDE_PX = 16


class ClassifierSpec(Params):
    encoder: EncoderChoice = EncoderChoice()
    classes: int = param(10, "classes; set by the training set", ge=2, le=65536)
    dropout: float = param(0.1, "dropout of the pooled features", ge=0, lt=1)


class Classifier(nn.Module):
    """A picture → logits as `output`, the map of stride nearest to 16 px as `features`, and the
    unit-norm `embedding`.

    For transfer learning, start from an encoder's weights (`run.init_weights`) and give
    `encoder.*` a smaller learning rate, or zero, in `optimizer.rates`.
    """

    def __init__(self, spec: ClassifierSpec) -> None:
        super().__init__()
        self.encoder = PictureEncoder(spec.encoder)
        self.dropout = nn.Dropout(spec.dropout)
        self.head = nn.Linear(self.encoder.dim, spec.classes)
        self._map = nearest_map(self.encoder.strides)

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        encoded = self.encoder(rgb)
        return {
            "output": self.head(self.dropout(encoded.pooled)),
            "features": encoded.maps[self._map],
            "embedding": F.normalize(encoded.pooled, dim=1),
        }


def nearest_map(strides: tuple[int, ...]) -> int:
    """Index of the encoder's map with the stride nearest to 16 px, the deepest of several."""
    distance = [(abs(stride - _FEATURE_STRIDE_PX), -row) for row, stride in enumerate(strides)]
    return distance.index(min(distance))


card = Card(
    name="classifier",
    about="Classes of a picture, by any encoder.",
    task="classification",
    spec=ClassifierSpec(),
    tiny=ClassifierSpec(
        encoder=EncoderChoice(name="resnet18", options={"depths": (1, 1, 1, 1), "width": 4}),
        classes=3,
    ),
    build=Classifier,
    example=noise_pictures,
    inputs=PICTURE,
    outputs={
        "output": "b classes",
        "features": "b channels rows columns",
        "embedding": "b dimensions",
    },
    most_parameters=11_300_000,
    serving=served_from_picture("classification", "output", "features", "embedding"),
    limits=(
        "One class per picture. Trained on crops, it expects crops: a square around the object "
        "with the same margin as in training."
    ),
)
register_model(card)
