"""Low-rank adapters in a backbone (arXiv:2106.09685) with peft, and merging them."""

import copy
from typing import Any, TypeVar

from torch import nn

from robot_vision.core.errors import ConfigError
from robot_vision.models.vla.library import peft
from robot_vision.models.vla.spec import LoraSpec

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def add_lora(model: nn.Module, spec: LoraSpec) -> None:
    """Wrap linear layers in adapters; everything else in the model is frozen.

    Raises `ConfigError` if no layer has one of the names.
    """
    library = peft()
    config = library.LoraConfig(
        r=spec.rank,
        lora_alpha=spec.alpha,
        lora_dropout=spec.dropout,
        target_modules=list(spec.targets),
    )
    try:
        library.inject_adapter_in_model(config, model)
    except ValueError as error:
        raise ConfigError(
            f"spec.lora.targets = {', '.join(spec.targets)}: no linear layer of the backbone has "
            f"such a name ({error})"
        ) from error


def merged(module: ModuleT) -> ModuleT:
    """A copy with adapters merged into the weights they wrap; it does not need peft."""
    found = copy.deepcopy(module)
    for parent in list(found.modules()):
        for name, child in list(parent.named_children()):
            if hasattr(child, "lora_A") and hasattr(child, "base_layer"):
                setattr(parent, name, _merged_layer(child))
    return found


def _merged_layer(layer: Any) -> nn.Module:
    layer.merge(safe_merge=True)
    return layer.get_base_layer()
