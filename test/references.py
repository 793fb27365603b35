"""Public implementations that ours are compared with; a test skips where one is not installed."""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor, nn

_KEPT: list[Any] = []
_WITHOUT = "{} is not installed: requirements-references.txt says how"


def transformers() -> Any:
    return _imported("transformers")


def torchvision() -> Any:
    return _imported("torchvision")


def timm() -> Any:
    return _imported("timm")


def ptflops() -> Any:
    return _imported("ptflops")


def lightly_loss() -> Any:
    return _imported("lightly.loss")


def _imported(name: str) -> Any:
    declare_operators()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their own deprecations
        return pytest.importorskip(name, reason=_WITHOUT.format(name))


def declare_operators() -> None:
    """Let torchvision be imported beside a torch of another build.

    Its compiled operators are absent there, and it asks for two of them; ours need none.
    """
    if _KEPT or find_spec("torchvision") is None:
        return
    try:
        import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(
                f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
        _KEPT.append(library)


def stage_outputs(model: nn.Module, stages: Sequence[str], x: Tensor) -> list[Tensor]:
    """What submodules of a model give while it runs, in the order of `stages`."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        return lambda _module, _inputs, output: found.__setitem__(name, output)

    handles = [model.get_submodule(name).register_forward_hook(keep(name)) for name in stages]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return [found[name] for name in stages]
