"""A vision-language model built from its config, and its weights from a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted, read_json
from robot_vision.models.vla.adapter import ADAPTERS, VlmAdapter
from robot_vision.models.vla.library import transformers
from robot_vision.models.vla.spec import BackboneSpec
from robot_vision.models.weights import listed

# Weights under this name are wrapped in low-rank adapters.
_WRAPPED = "base_layer"
_ATTENTION = ("sdpa", "eager")


def build_backbone(spec: BackboneSpec) -> VlmAdapter:
    """A backbone with random weights, in its adapter. Raises `ConfigError`, `UnknownNameError`."""
    adapter = ADAPTERS.get(spec.adapter)
    config = dict(spec.config)
    kind = config.pop("model_type", None)
    if not kind:
        raise ConfigError(
            "spec.backbone.config has no model_type: expected a config.json of transformers; "
            "`robot-vision vla recipe` puts it into a recipe"
        )
    if "auto_map" in config:
        raise ConfigError("spec.backbone.config names code of its own (auto_map), never run")
    library = transformers()
    try:
        parsed = library.AutoConfig.for_model(kind, **config)
    except Exception as error:  # an untrusted config may raise anything
        raise ConfigError(
            f"spec.backbone.config is not a config of {quoted(kind)}: {error}"
        ) from error
    return adapter(_from_config(library, parsed))


def _from_config(library: Any, config: Any) -> Any:
    problem: Exception | None = None
    for attention in _ATTENTION:
        try:
            return library.AutoModel.from_config(
                config, attn_implementation=attention, dtype=torch.float32
            )
        except Exception as error:  # no fused attention, or invalid sizes
            problem = problem or error
    raise ConfigError(f"spec.backbone.config makes no model: {problem}") from problem


def drop_words(adapter: VlmAdapter) -> None:
    """Remove the embedding table: a policy takes words as encodings."""
    table = adapter.word_embedding
    for parent in adapter.model.modules():
        for name, child in parent.named_children():
            if child is table:
                setattr(parent, name, nn.Module())


def open_folder(folder: str | Path) -> Any:
    """Load a `save_pretrained` folder in f32. Raises `ConfigError`; nothing is downloaded."""
    folder = Path(folder).expanduser()
    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        raise ConfigError(
            f"{folder} has no config.json with *.safetensors: expected a folder that "
            "`save_pretrained` of transformers wrote. Pickles (.bin) are never opened"
        )
    said = read_json(folder / "config.json")
    if not isinstance(said, dict) or "auto_map" in said:
        raise ConfigError(f"{folder} names code of its own (auto_map), which is never run")
    library = transformers()
    try:
        model, said = library.AutoModel.from_pretrained(
            folder.resolve(),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            dtype=torch.float32,
        )
    except Exception as error:  # untrusted files may raise anything
        raise ConfigError(f"{folder} cannot be opened by transformers: {error}") from error
    missing = tuple(sorted(said["missing_keys"]))
    if missing:  # they would stay random
        raise ConfigError(f"{folder} lacks weights of its own config: {listed(missing)}")
    return model


def load_backbone(model: nn.Module, folder: str | Path) -> None:
    """Load a folder's weights into a backbone, with or without low-rank adapters.

    Raises `ConfigError` that names the weights missing from the folder.
    """
    given: Mapping[str, Tensor] = open_folder(folder).state_dict()
    own = model.state_dict()
    wanted = {name: name.replace(f".{_WRAPPED}.", ".") for name in own if ".lora_" not in name}
    missing = [name for name in wanted.values() if name not in given]
    reshaped = [
        name
        for mine, name in wanted.items()
        if name in given and own[mine].shape != given[name].shape
    ]
    if missing or reshaped:
        raise ConfigError(
            f"{folder} does not fit spec.backbone.config; missing: "
            f"{listed(tuple(missing)) or 'nothing'}; of another shape: "
            f"{listed(tuple(reshaped)) or 'nothing'}"
        )
    model.load_state_dict({mine: given[name] for mine, name in wanted.items()}, strict=False)
