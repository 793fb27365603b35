"""A bundle that says something of a picture, run as the service runs it, to be measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from robot_vision.core.config import ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.model_store.store import Bundle
from robot_vision.models.weights import read_weights
from robot_vision.perception.model import ModelRun, load_model
from robot_vision.training.engine.run import BUNDLE_WEIGHTS


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Figures, what a person should read beside them, and the names of the files written."""

    metrics: Mapping[str, float | str]
    notes: tuple[str, ...]
    files: tuple[str, ...]


class PictureModel:
    """A bundle on one core of the CPU."""

    def __init__(self, bundle: Bundle) -> None:
        self._model = load_model(bundle, ServiceConfig(device="cpu", threads=1))

    def run(self, rgb: UInt8[np.ndarray, "h w 3"]) -> ModelRun:
        """What the model says of a picture of any size."""
        return self._model.run(Frame(stamp_ns=0, frame_id="", rgb=rgb), stage_s={})


def weights_travel(bundle: Bundle) -> dict[str, Any]:
    """What travels with the bundle's weights; nothing where it has none, as imported ones."""
    file = bundle.path / BUNDLE_WEIGHTS
    return read_weights(file).travels if file.is_file() else {}
