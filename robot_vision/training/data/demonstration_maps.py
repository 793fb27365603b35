"""What a frozen encoder makes of demonstrations' pictures, kept on disk."""

from robot_vision.core.errors import ConfigError
from robot_vision.training.data.demonstration_options import DemonstrationOptions
from robot_vision.training.engine.recipe import Recipe


def check_frozen(recipe: Recipe) -> None:
    """Raise `ConfigError` where maps are to be kept of an encoder that is trained."""
    options: DemonstrationOptions = recipe.options
    if options.cache_features and not recipe.spec.get("freeze_encoder"):
        raise ConfigError(
            "options.cache_features keeps what an encoder makes of pictures, and this one is "
            "trained: set spec.freeze_encoder=true, or options.cache_features=false"
        )
