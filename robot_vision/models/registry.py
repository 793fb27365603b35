"""The registry of torch models: name → builder."""

from collections.abc import Callable

from torch import nn

from robot_vision.core.registry import Registry

MODELS: Registry[Callable[..., nn.Module]] = Registry("torch model")
