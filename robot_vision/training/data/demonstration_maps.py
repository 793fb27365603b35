"""What a frozen encoder makes of demonstrations' pictures, kept on disk."""

import numpy as np

from robot_vision.core.errors import ConfigError
from robot_vision.models.policies.pixels import PixelPolicy
from robot_vision.training.data.demonstration_options import DemonstrationOptions
from robot_vision.training.demonstrations.demonstrations import Demonstrations
from robot_vision.training.engine.recipe import Recipe

Maps = dict[str, tuple[np.ndarray, ...]]


def check_frozen(recipe: Recipe) -> None:
    """Raise `ConfigError` where maps are to be kept of an encoder that is trained."""
    options: DemonstrationOptions = recipe.options
    if options.cache_features and not recipe.spec.get("freeze_encoder"):
        raise ConfigError(
            "options.cache_features keeps what an encoder makes of pictures, and this one is "
            "trained: set spec.freeze_encoder=true, or options.cache_features=false"
        )


def cached_maps(source: Demonstrations, model: PixelPolicy, cache_dir: str) -> Maps:
    """By camera, finest first: f16 [R,c,h,w] of each picture of the sets.

    Kept by a hash over the encoder's weights: another encoder's maps are never taken for its own.
    """
    raise NotImplementedError
