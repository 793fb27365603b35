"""Runs a bundle with a picture input as the service runs it, for measuring."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.model_store.store import Bundle
from robot_vision.models.weights import read_weights
from robot_vision.perception.model import ModelRun, load_model
from robot_vision.training.engine.run import BUNDLE_WEIGHTS


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Metrics, notes for the reader, and the names of the files written."""

    metrics: Mapping[str, float | str]
    notes: tuple[str, ...]
    files: tuple[str, ...]


class PictureModel:
    """A bundle on one core of the CPU."""

    def __init__(self, bundle: Bundle) -> None:
        self._model = load_model(bundle, ServiceConfig(device="cpu", threads=1))

    def run(self, rgb: UInt8[np.ndarray, "h w 3"]) -> ModelRun:
        """The model's outputs for a picture of any size."""
        return self._model.run(Frame(stamp_ns=0, frame_id="", rgb=rgb))


def weights_travel(bundle: Bundle) -> dict[str, Any]:
    """Metadata stored with the bundle's weights; empty if it has none, as imported bundles do."""
    file = bundle.path / BUNDLE_WEIGHTS
    return read_weights(file).travels if file.is_file() else {}
