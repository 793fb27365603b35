"""Shared by encoders from other packages: nothing is downloaded, and what is unsuitable fails."""

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from robot_vision.core.errors import ConfigError

FINEST_PX = 4  # maps with a smaller stride are left out


def imported(package: str, *, encoder: str) -> Any:
    """Import the package; raises `ConfigError` with the command that installs it."""
    if find_spec(package) is None:
        raise ConfigError(f"encoder {encoder!r} needs {package}: pip install {package}")
    return import_module(package)


def made(make: Callable[[], nn.Module], *, what: str) -> nn.Module:
    """Build a user's choice by a package; raises `ConfigError` with the package's message."""
    try:
        return make()
    except Exception as error:  # packages raise what they like
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ConfigError(f"{what}: {reason}") from error


def last_of_each(strides: Sequence[int]) -> list[int]:
    """Indices of the last stage of each stride from `FINEST_PX` up, finest first."""
    last = {stride: place for place, stride in enumerate(strides) if stride >= FINEST_PX}
    return [last[stride] for stride in sorted(last)]


def strides_of(shapes: Sequence[torch.Size], side_px: int) -> list[int]:
    """Strides of maps [b,c,h,w] of a square picture."""
    return [side_px // int(shape[2]) for shape in shapes]
