"""PyTorch behind the same interface, for models not exported to ONNX.

A bundle holds a `torch.export` program (`.pt2`), or weights (`.safetensors`) of the architecture
that its manifest names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robot_vision.backends.contract import blank_inputs, wanted_outputs
from robot_vision.core.errors import BundleError, ConfigError, DeviceError, UnknownNameError
from robot_vision.model_store.file_kinds import refuse_code
from robot_vision.model_store.store import Bundle
from robot_vision.models.card import Size
from robot_vision.models.registry import MODELS
from robot_vision.models.served import served_graph
from robot_vision.models.weights import load_exactly, read_weights, spec_of


@dataclass(frozen=True, kw_only=True, eq=False)
class _Loaded:
    """A module, the order of its inputs and the names of its outputs; empty: the manifest's."""

    module: nn.Module
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


class TorchBackend:
    """One torch module. `provider` is torch-cpu or torch-cuda, proven by the warm-up run."""

    def __init__(self, bundle: Bundle, *, device: str, threads: int) -> None:
        self._manifest = bundle.manifest
        self._device, self.fallback_reason = _choose_device(device)
        self.provider = f"torch-{self._device}"
        if threads:
            torch.set_num_threads(threads)
        # torch.export's modules are always in inference mode and refuse `eval()`.
        self._loaded = _load(bundle)
        self._loaded.module.to(self._device)
        blank = blank_inputs(bundle.manifest)
        _check_inputs(bundle, self._loaded, blank)
        try:
            outputs = self.run(blank)
        except (RuntimeError, TypeError, ValueError) as error:
            raise BundleError(f"{bundle.model_path} fails on a blank frame: {error}") from error
        wanted_outputs(self._manifest, list(outputs))

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The model's outputs by name; a program takes its inputs in the manifest's order."""
        names = self._loaded.inputs or tuple(inputs)
        tensors = [torch.from_numpy(inputs[name]).to(self._device) for name in names]
        with torch.inference_mode():
            result = self._loaded.module(*tensors)
        return {name: value.cpu().numpy() for name, value in self._named(result).items()}

    def close(self) -> None:
        """Release the module and its memory."""
        del self._loaded

    def _named(self, result: Any) -> dict[str, Tensor]:
        """Outputs by name: from a mapping's keys, the graph's card, or else the manifest."""
        if isinstance(result, Mapping):
            return dict(result)
        values = (result,) if isinstance(result, Tensor) else tuple(result)
        names = self._loaded.outputs or tuple(self._manifest.outputs.values()) or ("output",)
        if len(names) != len(values):
            raise BundleError(
                f"bundle {self._manifest.name!r}: the model returns {len(values)} tensors; "
                f"the names known for them are: {', '.join(names)}"
            )
        return dict(zip(names, values, strict=True))


def _choose_device(device: str) -> tuple[str, str]:
    """torch's device for ours, and why it is not a better one where the choice was open."""
    if device == "cpu":
        return "cpu", ""
    if device in ("tensorrt", "openvino"):
        raise DeviceError(f"device {device!r} runs ONNX models only; torch has: cpu, cuda")
    if torch.cuda.is_available():
        return "cuda", ""
    if device == "auto":
        return "cpu", "cuda: torch finds no CUDA device"
    raise DeviceError(f"device {device!r} cannot run: torch finds no CUDA device; available: cpu")


def _load(bundle: Bundle) -> _Loaded:
    refuse_code(bundle.model_path)
    if bundle.model_path.suffix.lower() == ".pt2":
        try:
            return _Loaded(module=torch.export.load(bundle.model_path).module())
        except Exception as error:  # the file decides what this raises
            raise BundleError(f"{bundle.model_path} cannot be loaded: {error}") from error
    try:
        return _load_weights(bundle)
    except (UnknownNameError, ConfigError, RuntimeError) as error:
        raise BundleError(f"{bundle.model_path} cannot be loaded: {error}") from error


def _load_weights(bundle: Bundle) -> _Loaded:
    """Weights of a registered model, as the one graph of its card."""
    manifest = bundle.manifest
    card = MODELS.get(manifest.architecture)
    weights = read_weights(bundle.model_path)
    spec = spec_of(weights, card, {"classes": len(manifest.classes)})
    model = card.build(spec)
    load_exactly(model, weights, name=card.name)
    size = Size(width_px=manifest.input.width_px, height_px=manifest.input.height_px)
    graph = served_graph(card, model, spec, size)
    return _Loaded(
        module=graph.module,
        inputs=tuple(graph.example),
        outputs=tuple(manifest.outputs.get(role, role) for role in graph.outputs),
    )


def _check_inputs(bundle: Bundle, loaded: _Loaded, given: Mapping[str, np.ndarray]) -> None:
    if loaded.inputs and set(loaded.inputs) != set(given):
        raise BundleError(
            f"bundle {bundle.manifest.name!r}: the manifest's inputs are {', '.join(given)}; "
            f"the model has: {', '.join(loaded.inputs)}"
        )
