"""Torch architectures, one per file, in the registry `MODELS`."""

from robot_vision.models import native, reference
from robot_vision.models.registry import MODELS

__all__ = ["MODELS", "native", "reference"]
