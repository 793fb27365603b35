"""The only way to transformers' models: through its own classes, never remote code."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from robot_vision.core.errors import ConfigError
from robot_vision.foundation.hub import PICKLED, WEIGHTS
from robot_vision.foundation.model_folder import ModelFolder
from robot_vision.models.public_files import read_public
from robot_vision.models.public_library import import_transformers
from robot_vision.models.weights import listed

_NO_CHECKS = "TRANSFORMERS_DISABLE_TORCH_CHECK"


def transformers() -> Any:
    """The package, with its progress bars and hints silenced."""
    package = import_transformers()
    package.logging.set_verbosity_error()
    package.logging.disable_progress_bar()
    return package


@contextmanager
def exportable() -> Iterator[None]:
    """Inside, networks skip checks of their own shapes, for which ONNX has no operator."""
    before = os.environ.get(_NO_CHECKS)
    os.environ[_NO_CHECKS] = "1"
    try:
        yield
    finally:
        del os.environ[_NO_CHECKS]
        if before is not None:
            os.environ[_NO_CHECKS] = before


def load(folder: ModelFolder, name: str, *, unused: str = "") -> Any:
    """The model in float32 on the CPU, from safetensors, or else from a tensors-only file.

    Raises `ConfigError` if weights are missing or of another shape: missing ones would be
    random. Those whose names begin with `unused` do not affect the outputs.
    """
    kind = getattr(transformers(), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own deprecations
        try:
            model, found = _opened(kind, folder)
        except ConfigError:
            raise
        except Exception as error:  # whatever it stumbles over in a stranger's files
            raise ConfigError(f"{folder.path} cannot be opened as {name}: {error}") from error
    missing = {key for key in found["missing_keys"] if not (unused and key.startswith(unused))}
    _check(missing, found, folder, name)
    return model.eval()


def _opened(kind: Any, folder: ModelFolder) -> tuple[Any, Any]:
    """The model, and its library's report on the weights."""
    given: dict[str, Any] = {
        "config": kind.config_class.from_dict(dict(folder.config)),
        "attn_implementation": "eager",
        "dtype": torch.float32,
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,  # they are refused below, by their names
    }
    if folder.has(*WEIGHTS):
        given |= {"local_files_only": True, "use_safetensors": True}
        return kind.from_pretrained(folder.path.resolve(), **given)
    if folder.has(*PICKLED):
        return kind.from_pretrained(None, state_dict=read_public(folder.path), **given)
    raise ConfigError(
        f"{folder.path} has no weights: expected model.safetensors, parts of it, or "
        "pytorch_model.bin, which is read as tensors only"
    )


def tokenizer(folder: ModelFolder, name: str) -> Any:
    """Raises `ConfigError` if its files are missing."""
    kind = getattr(transformers(), name)
    try:
        return kind.from_pretrained(folder.path.resolve(), local_files_only=True)
    except Exception as error:  # whatever it stumbles over in a stranger's files
        raise ConfigError(
            f"{folder.path} has no tokenizer ({error}): expected tokenizer.json, or vocab.json "
            "and merges.txt"
        ) from error


def _check(lacking: set[str], found: Any, folder: ModelFolder, name: str) -> None:
    missing = sorted(lacking)
    other = [str(key[0]) for key in found.get("mismatched_keys", ())]
    if missing or other:
        raise ConfigError(
            f"the weights in {folder.path} are not those of {name}: missing: "
            f"{listed(tuple(missing)) or 'none'}; of another shape: "
            f"{listed(tuple(other)) or 'none'}"
        )
