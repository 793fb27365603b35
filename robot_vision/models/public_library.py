"""The only import of transformers; it works with a broken torchvision too."""

import sys
from importlib import import_module
from typing import Any

from robot_vision.core.errors import MissingDependencyError


def import_transformers() -> Any:
    """Import the package. It does not need torchvision here; a broken one is hidden from it.

    Raises `MissingDependencyError` if it or torch is not installed.
    """
    _hide_broken_torchvision()
    try:
        import torch  # noqa: F401  # without it the package has no models
        import transformers
    except (ImportError, RuntimeError) as error:
        raise MissingDependencyError(
            f"this needs torch and transformers ({error}): "
            "pip install 'robot_vision[train,foundation]'"
        ) from error
    return transformers


def _hide_broken_torchvision() -> None:
    """A torchvision built for another torch fails to import, and transformers with it."""
    if "torchvision" in sys.modules:
        return
    try:
        import_module("torchvision")
    except ImportError:
        pass
    except (RuntimeError, OSError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        sys.modules["torchvision"] = None  # type: ignore[assignment]
