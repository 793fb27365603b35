"""Serving of models trained without labels: their encoder."""

import torch.nn.functional as F
from torch import Tensor

from robot_vision.models.classification.classifier import nearest_map
from robot_vision.models.encoders.encoder import Encoded
from robot_vision.models.picture import served_from_picture

FEATURES = {"features": "b channels rows columns", "embedding": "b dimensions"}
SERVING = served_from_picture("features", *FEATURES)


def features_of(encoded: Encoded, strides: tuple[int, ...]) -> dict[str, Tensor]:
    """The map whose stride is nearest to 16 px as `features`, and the unit-norm `embedding`."""
    return {
        "features": encoded.maps[nearest_map(strides)],
        "embedding": F.normalize(encoded.pooled, dim=1),
    }
