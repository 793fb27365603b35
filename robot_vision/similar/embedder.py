"""Embeds pictures with any bundle that gives features."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Features, Frame
from robot_vision.model_store.store import find_bundle
from robot_vision.perception.model import load_model
from robot_vision.perception.perceiver import features_of
from robot_vision.similar.store import LOOK_PARTS, IndexedModel, SimilarError


@dataclass(frozen=True, kw_only=True)
class EmbedderOptions:
    """Where the model runs."""

    device: str = "auto"
    threads: int = 1


class Embedder:
    """A bundle that gives features; it gets only the colours of a picture.

    Depth is left out, so that a recording with depth and a picture without it are compared on the
    same basis. Raises `SimilarError` for a bundle without features.
    """

    def __init__(self, bundle: str, options: EmbedderOptions | None = None) -> None:
        options = options or EmbedderOptions()
        found = find_bundle(bundle)
        values = {"device": options.device, "threads": options.threads, "spin": False}
        config = with_values(ServiceConfig(), values)
        self._model = load_model(found, config)
        if "features" not in self._model.roles:
            raise SimilarError(
                f"{found.manifest.model_id} has no output with the role `features`, only "
                f"{', '.join(self._model.roles)}: name another --model"
            )
        blank = np.zeros((64, 64, 3), np.uint8)
        features = self.features(blank)
        self.model = IndexedModel(
            bundle=bundle,
            model_id=found.manifest.model_id,
            sha256=found.manifest.sha256,
            dimensions=len(look_of(features)),
            channels=len(features.grid),
        )

    def features(self, rgb: UInt8[np.ndarray, "h w 3"]) -> Features:
        """The map of a picture, and its embedding of unit norm."""
        self._model.forget()  # pictures have no time between them
        frame = Frame(stamp_ns=0, frame_id="", rgb=rgb)
        found = features_of(frame, self._model.run(frame))
        assert found is not None
        return found

    def look(self, rgb: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, " d"]:
        """What an index stores for a picture: `look_of` its features."""
        return look_of(self.features(rgb))


def look_of(features: Features) -> Float32[np.ndarray, " d"]:
    """Embedding, mean and spread of the map, each of unit norm and equal weight; of unit norm.

    The cosine of two looks is the mean of three cosines. An embedding alone may be nearly the same
    for pictures with nothing in common but content unknown to the model (docs/similar.md).
    """
    parts = (features.embedding, mean_of(features), features.grid.std(axis=(1, 2)))
    assert len(parts) == LOOK_PARTS
    joined = np.concatenate([part / max(float(np.linalg.norm(part)), 1e-12) for part in parts])
    return (joined / np.sqrt(LOOK_PARTS)).astype(np.float32)


def mean_of(features: Features) -> Float32[np.ndarray, " c"]:
    """The mean of a map over the picture, by which novelty is judged."""
    return features.grid.mean(axis=(1, 2), dtype=np.float32)


def embedder_of(model: IndexedModel, *, bundle: str, options: EmbedderOptions) -> Embedder:
    """The model of an index, by the name stored in it unless `bundle` names another place.

    Raises `SimilarError` if that is now another model, whose vectors are not comparable.
    """
    embedder = Embedder(bundle or model.bundle, options)
    check_same_model(model, embedder)
    return embedder


def check_same_model(model: IndexedModel, embedder: Embedder) -> None:
    found = embedder.model
    if found.sha256 != model.sha256:
        raise SimilarError(
            f"the index is of {model.model_id} (sha256 {model.sha256[:12]}…), and the model is "
            f"{found.model_id} (sha256 {found.sha256[:12]}…): vectors of two models cannot be "
            "compared. Name the bundle that the index was made with (--model), or make a new "
            "index"
        )
