"""Libraries of vision-language models, imported on demand."""

from types import ModuleType

from robot_vision.core.errors import ConfigError, MissingDependencyError
from robot_vision.models.public_library import import_transformers


def transformers() -> ModuleType:
    """Import transformers. Raises `ConfigError` with the command that installs it."""
    try:
        library = import_transformers()
    except MissingDependencyError as error:
        raise _lacking("transformers", error) from error
    library.utils.logging.disable_progress_bar()
    return library


def peft() -> ModuleType:
    """Import peft, for low-rank adapters. Raises `ConfigError` as `transformers` does."""
    transformers()
    try:
        import peft
    except ImportError as error:
        raise _lacking("peft", error) from error
    return peft


def _lacking(name: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"a vision-language model needs {name}, which cannot be imported ({error}): "
        "pip install 'robot_vision[vla]'"
    )
