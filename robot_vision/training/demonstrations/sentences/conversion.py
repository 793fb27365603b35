"""Converts a transformers encoder to ONNX: the robot needs only ONNX Runtime."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from robot_vision.core.errors import BundleError, ConfigError, MissingDependencyError
from robot_vision.core.files.disk import writing_to
from robot_vision.core.files.foreign import read_json
from robot_vision.model_store.onnx_open import open_onnx
from robot_vision.models.public_library import import_transformers

CONFIG = "config.json"
_OPSET = 18
_MOST_DIFFERENCE = 1e-4
_INPUTS = ("input_ids", "attention_mask")
_OUTPUT = "last_hidden_state"


class _Encoder(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Int[Tensor, "b l"], attention_mask: Int[Tensor, "b l"]
    ) -> Float[Tensor, "b l d"]:
        found = self.model(input_ids=input_ids, attention_mask=attention_mask)
        return found.last_hidden_state


def weights_of(folder: Path) -> list[Path]:
    """`config.json` and the weights of a transformers model.

    Raises `ConfigError` if they are missing, or the model has its own code.
    """
    config, weights = folder / CONFIG, sorted(folder.glob("*.safetensors"))
    if not config.is_file() or not weights:
        raise ConfigError(
            f"{folder} has no model.onnx, nor {CONFIG} with model.safetensors: expected a "
            "sentence encoder in ONNX or from transformers. Pickles (.bin) are never opened: "
            "save it with `save_pretrained` of a recent transformers"
        )
    if (folder / "adapter_config.json").exists():
        raise ConfigError(
            f"{folder} is an adapter for another model: merge them, and save the whole model"
        )
    said = read_json(config)
    if not isinstance(said, dict) or "auto_map" in said:
        raise ConfigError(f"{config} refers to its own code (auto_map), which is never run")
    return [config, *weights]


def converted(folder: Path, cache_dir: str | Path, sha256: str, *, max_tokens: int) -> Path:
    """The ONNX file of the model in `folder`, below the cache; created once.

    Raises `ConfigError` without transformers, `BundleError` if it has no encoding per token, or
    ONNX Runtime's results differ.
    """
    root = Path(cache_dir) / f"sentence-encoder-{sha256[:24]}"
    file = root / "model.onnx"
    if file.is_file():
        return file
    encoder = _Encoder(_model(folder)).eval()
    with writing_to(root):
        root.mkdir(parents=True, exist_ok=True)
        made = root / "made.onnx"
        _write(encoder, made, max_tokens, folder)
        _prove(encoder, made, max_tokens)
        made.replace(file)
    return file


def _model(folder: Path) -> nn.Module:
    """Only from files in the folder; `weights_of` has refused models with their own code."""
    try:
        model: Any = import_transformers().AutoModel.from_pretrained(
            folder.resolve(),
            local_files_only=True,
            use_safetensors=True,
            attn_implementation="eager",
            dtype=torch.float32,
        )
    except MissingDependencyError as error:
        raise ConfigError(
            f"{folder} is a transformers model: {error}, or give an encoder in ONNX"
        ) from error
    except Exception as error:  # any failure on untrusted files
        raise ConfigError(f"{folder} cannot be opened by transformers: {error}") from error
    return model


def _write(encoder: nn.Module, file: Path, max_tokens: int, folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        try:
            program = torch.onnx.export(
                encoder,
                tuple(map(torch.from_numpy, _sentence(max_tokens, max_tokens))),
                input_names=list(_INPUTS),
                output_names=[_OUTPUT],
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # the model decides what the exporter raises
            raise BundleError(
                f"{folder} cannot be written as ONNX: expected a model that makes an encoding "
                f"({_OUTPUT}) of each of {max_tokens} tokens and needs nothing else: {error}"
            ) from error
    assert program is not None
    program.save(file, external_data=False)


def _prove(encoder: nn.Module, file: Path, max_tokens: int) -> None:
    """Raise `BundleError` if ONNX Runtime's results differ, whatever is masked."""
    session = open_onnx(file)
    for count in {2, max_tokens // 2 + 1, max_tokens}:
        given = _sentence(max_tokens, count)
        with torch.inference_mode():
            expected = encoder(*map(torch.from_numpy, given)).numpy()[0, :count]
        (found,) = session.run([_OUTPUT], dict(zip(_INPUTS, given, strict=True)))
        difference = np.abs(expected - np.asarray(found)[0, :count]).max()
        if not difference <= _MOST_DIFFERENCE * max(1.0, float(np.abs(expected).max())):
            raise BundleError(
                f"{file} differs from transformers by {difference:.2g}, expected at most "
                f"{_MOST_DIFFERENCE:g} of the largest value"
            )


def _sentence(length: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Arbitrary tokens i64 [1,length], of which the first `count` are present."""
    is_there = (np.arange(length) < count)[None]
    tokens = np.where(is_there, np.arange(length) % 5 + 1, 0)
    return tokens.astype(np.int64), is_there.astype(np.int64)
