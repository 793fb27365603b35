"""Describes what an adapter finds in a model folder."""

from pathlib import Path

from torch import nn

from robot_vision.models.vla.adapter import ADAPTERS, ATTRIBUTES, adapter_for, try_out
from robot_vision.models.vla.backbone import open_folder


def study_folder(folder: Path, name: str = "") -> dict[str, str]:
    """Each part and the module found for it; raises `ConfigError` if one cannot be found.

    `name` selects an adapter; empty for the one that matches the `model_type`.
    """
    model = open_folder(folder)
    name = name or adapter_for(model.config.model_type)
    adapter = ADAPTERS.get(name)(model)
    tried = try_out(adapter)
    paths = {id(module): path or "the whole" for path, module in model.named_modules()}
    found = {"adapter": f"{name}, for a {type(model).__name__}"}
    for part in ATTRIBUTES:
        value = getattr(adapter, part)
        found[part] = paths[id(value)] if isinstance(value, nn.Module) else str(value)
    found["a picture"] = f"{tried.picture_tokens} tokens of {tried.picture_width} numbers"
    found["tokens see"] = "all" if adapter.sees_ahead else "what comes before them"
    return found | {f"{part} by": reason for part, reason in adapter.found.items()}
