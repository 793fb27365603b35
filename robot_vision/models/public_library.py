"""The one way to transformers: beside a torchvision that cannot be imported it works as well."""

import sys
from importlib import import_module
from typing import Any

from robot_vision.core.errors import MissingDependencyError


def import_transformers() -> Any:
    """The package. It needs no torchvision here; one that is broken is hidden from it.

    Raises `MissingDependencyError` where it is not installed, or torch is not.
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
    """One of another build than torch cannot be imported, and transformers would fail by it."""
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
