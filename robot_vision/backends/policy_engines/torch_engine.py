"""Runs a policy's network from its weights in torch, for networks too large for ONNX."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from robot_vision.core.errors import BundleError, ConfigError, UnknownNameError
from robot_vision.model_store.file_kinds import external_files
from robot_vision.models.card import Graph, Size
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import load_exactly, read_weights, spec_of
from robot_vision.policies.engines import ENGINES, NetworkTensor

_TYPES = {
    torch.uint8: "tensor(uint8)",
    torch.bool: "tensor(bool)",
    torch.float32: "tensor(float)",
}
_NO_SIZE = Size(width_px=0, height_px=0)


class TorchNetwork:
    """A served graph in torch, on CUDA where there is a device."""

    def __init__(self, graph: Graph) -> None:
        self.provider = "torch-cuda" if torch.cuda.is_available() else "torch-cpu"
        self._device = self.provider.removeprefix("torch-")
        self._module = graph.module.eval().to(self._device)
        self._inputs = [
            NetworkTensor(name=name, shape=list(each.shape), type=_TYPES[each.dtype])
            for name, each in graph.example.items()
        ]
        self._outputs = list(graph.outputs.values())

    def get_inputs(self) -> list[NetworkTensor]:
        return self._inputs

    def get_outputs(self) -> list[NetworkTensor]:
        return [NetworkTensor(name=n, shape=[], type="tensor(float)") for n in self._outputs]

    def run(
        self, names: Sequence[str] | None, inputs: Mapping[str, np.ndarray]
    ) -> list[np.ndarray]:
        """The outputs of these names; all of them if no names are given."""
        given = [torch.from_numpy(inputs[each.name]).to(self._device) for each in self._inputs]
        with torch.inference_mode():
            found = dict(zip(self._outputs, self._module(*given), strict=True))
        return [found[name].float().cpu().numpy() for name in names or self._outputs]


@ENGINES.register(".safetensors")
def open_torch(file: Path, *, threads: int) -> TorchNetwork:
    """Weights of a registered policy. Raises `BundleError` where they belong to none."""
    external_files(file)  # refuses anything but safetensors, whatever its name says
    if threads:
        torch.set_num_threads(threads)
    try:
        weights = read_weights(file)
        card = MODELS.get(weights.model)
        spec = spec_of(weights, card, {})
        model = card.build(spec)
        load_exactly(model, weights, name=card.name)
    except (UnknownNameError, ConfigError, RuntimeError) as error:
        raise BundleError(f"{file} cannot be loaded: {error}") from error
    if card.serving is None:
        raise BundleError(f"{file} holds a {card.name!r}, which is not served")
    return TorchNetwork(card.serving.graphs(model, spec, _NO_SIZE)[-1])
