"""A frozen encoder's maps of demonstrations' pictures, kept on disk."""

import hashlib

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.identity import identity_of
from robot_vision.models.encoders.encoder import ENCODERS
from robot_vision.models.fusion.fusion import FUSIONS
from robot_vision.models.heads.head import HEADS
from robot_vision.models.policies.pixels import PixelPolicy
from robot_vision.training.data.demonstrations.options import DemonstrationOptions
from robot_vision.training.demonstrations.demonstrations import Demonstrations
from robot_vision.training.demonstrations.feature_maps import Maps, feature_maps
from robot_vision.training.engine.recipes.recipe import Recipe


def check_parts(recipe: Recipe) -> None:
    """Raise `UnknownNameError` for an encoder, fusion or head that does not exist: opening the
    sets first may take an hour."""
    for part, registry in {"encoder": ENCODERS, "fusion": FUSIONS, "head": HEADS}.items():
        choice = recipe.spec.get(part)
        if isinstance(choice, dict) and "name" in choice:
            registry.get(choice["name"])


def check_frozen(recipe: Recipe) -> None:
    """Raise `ConfigError` if maps of an encoder in training should be cached."""
    options: DemonstrationOptions = recipe.options
    if options.cache_features and not recipe.spec.get("freeze_encoder"):
        raise ConfigError(
            "options.cache_features keeps an encoder's maps, but this encoder is trained: set "
            "spec.freeze_encoder=true, or options.cache_features=false"
        )


def cached_maps(
    source: Demonstrations, model: PixelPolicy, *, cache_dir: str, device: torch.device
) -> Maps:
    """By camera, finest first: f16 [R,c,h,w] of each picture of the sets.

    Keyed by a hash of the encoder and its weights, so they are never confused with another's.
    """

    def encode(
        camera: str, rgb: UInt8[Tensor, "b h w 3"]
    ) -> tuple[Float[Tensor, "b _c _h _w"], ...]:
        return model.maps(camera, rgb.to(device))

    encoder = model.sight.encoder
    assert encoder is not None or not source.pictures
    identity = _identity(model, encoder) if encoder is not None else ""
    return feature_maps(source, encode, identity=identity, cache_dir=cache_dir)


def _identity(model: PixelPolicy, encoder: nn.Module) -> str:
    weights = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        weights.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    spec = model.spec
    return identity_of(
        {
            "encoder": spec.encoder.model_dump(mode="json"),
            "levels": spec.levels,
            **({"patches": spec.patches} if spec.patches else {}),
            "weights": weights.hexdigest(),
        }
    )
