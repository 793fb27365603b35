"""PyTorch behind the same interface, for models that are not exported to ONNX.

A bundle holds a `torch.export` program (`.pt2`), or weights (`.safetensors`) of the architecture
that its manifest names.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from robot_vision.backends.contract import blank_inputs, wanted_outputs
from robot_vision.core.errors import BundleError, DeviceError, UnknownNameError
from robot_vision.model_store.file_kinds import refuse_code
from robot_vision.model_store.store import Bundle
from robot_vision.models import MODELS
from robot_vision.models.multitask.native import OUTPUTS, NativeModel, ServedNative


class TorchBackend:
    """One torch module. `provider` is torch-cpu or torch-cuda, proven by the warm-up run."""

    def __init__(self, bundle: Bundle, *, device: str, threads: int) -> None:
        self._manifest = bundle.manifest
        self._device, self.fallback_reason = _choose_device(device)
        self.provider = f"torch-{self._device}"
        if threads:
            torch.set_num_threads(threads)
        # torch.export's modules are always in inference mode and refuse `eval()`.
        self._module = _load(bundle).to(self._device)
        try:
            outputs = self.run(blank_inputs(bundle.manifest))
        except (RuntimeError, TypeError, ValueError) as error:
            raise BundleError(f"{bundle.model_path} fails on a blank frame: {error}") from error
        wanted_outputs(self._manifest, list(outputs))

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The model's outputs by name; inputs are passed in the manifest's order."""
        tensors = [torch.from_numpy(array).to(self._device) for array in inputs.values()]
        with torch.inference_mode():
            result = self._module(*tensors)
        return {name: value.cpu().numpy() for name, value in self._named(result).items()}

    def close(self) -> None:
        """Release the module and its memory."""
        del self._module

    def _named(self, result: Any) -> dict[str, Tensor]:
        """Outputs by name: a mapping has them, a tuple is in the order of the manifest's."""
        if isinstance(result, Mapping):
            return dict(result)
        values = (result,) if isinstance(result, Tensor) else tuple(result)
        names = tuple(self._manifest.outputs.values())
        if not names:
            names = OUTPUTS if self._manifest.format == "native" else ("output",)
        if len(names) != len(values):
            raise BundleError(
                f"bundle {self._manifest.name!r}: the model returns {len(values)} tensors; "
                f"the names known for them are: {', '.join(names)}"
            )
        return dict(zip(names, values, strict=True))


def _choose_device(device: str) -> tuple[str, str]:
    """torch's device for ours, and why it is not the better one where that was left open."""
    if device == "cpu":
        return "cpu", ""
    if device == "tensorrt":
        raise DeviceError("device 'tensorrt' runs ONNX models only; torch has: cpu, cuda")
    if torch.cuda.is_available():
        return "cuda", ""
    if device == "auto":
        return "cpu", "cuda: torch finds no CUDA device"
    raise DeviceError(f"device {device!r} cannot run: torch finds no CUDA device; available: cpu")


def _load(bundle: Bundle) -> nn.Module:
    refuse_code(bundle.model_path)
    if bundle.model_path.suffix.lower() == ".pt2":
        try:
            return torch.export.load(bundle.model_path).module()
        except Exception as error:  # what it raises is up to the file
            raise BundleError(f"{bundle.model_path} cannot be loaded: {error}") from error
    manifest = bundle.manifest
    try:
        model = MODELS.get(manifest.architecture)(classes=len(manifest.classes))
        model.load_state_dict(load_file(bundle.model_path))
    except (UnknownNameError, RuntimeError, TypeError, OSError, SafetensorError) as error:
        raise BundleError(f"{bundle.model_path} cannot be loaded: {error}") from error
    model.eval()
    return ServedNative(model) if isinstance(model, NativeModel) else model
