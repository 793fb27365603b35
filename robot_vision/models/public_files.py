"""Reads weights of public programs: safetensors, torch files, and folders of either."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted, read_json
from robot_vision.models.weights import read_weights

_TORCH_SUFFIXES = {".bin", ".pth", ".pt", ".ckpt"}
# Keys of the weights in checkpoints that also hold the optimiser's state.
_INNER = ("state_dict", "model", "model_state_dict", "teacher")
# The first pattern that matches in a folder is read; several files are shards of one.
_IN_FOLDER = (
    "model.safetensors",
    "model-*-of-*.safetensors",
    "pytorch_model.bin",
    "pytorch_model-*-of-*.bin",
)


def read_public(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, or of a folder as `save_pretrained` writes it.

    Code in a file is never run. Raises `ConfigError` if there are no tensors to read.
    """
    tensors: dict[str, Tensor] = {}
    for file in _files(path):
        tensors |= _read(file)
    if not tensors:
        raise ConfigError(f"{path} holds no tensors")
    return tensors


def read_config(path: Path) -> dict[str, Any]:
    """`config.json` beside the weights in a folder; empty if there is none."""
    file = path / "config.json"
    if not file.is_file():
        return {}
    found = read_json(file)
    if not isinstance(found, dict):
        raise ConfigError(f"{file} holds {quoted(found)}; expected fields by name")
    return found


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    for pattern in _IN_FOLDER:
        files = sorted(path.glob(pattern))
        if files:
            return files
    raise ConfigError(f"{path} holds no weights; expected one of {', '.join(_IN_FOLDER)} in it")


def _read(file: Path) -> dict[str, Tensor]:
    if file.suffix == ".safetensors":
        return read_weights(file).tensors
    if file.suffix not in _TORCH_SUFFIXES:
        raise ConfigError(
            f"{file} has an unsupported suffix; expected .safetensors or one of "
            f"{', '.join(sorted(_TORCH_SUFFIXES))}"
        )
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler may raise anything
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"cannot read {file} as tensors alone: {reason}") from error
    return _tensors(found, file)


def _tensors(found: Any, file: Path) -> dict[str, Tensor]:
    for name in _INNER:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    if not isinstance(found, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in found.items()
    ):
        raise ConfigError(
            f"{file}: expected tensors by name, or a mapping of them as {', '.join(_INNER)}"
        )
    return dict(found)
