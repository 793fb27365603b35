"""Exports a graph as TorchScript, for programs that embed it (libtorch). Nothing here loads it."""

import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robot_vision.core.errors import BundleError
from robot_vision.export.parity import TOLERANCE, check_same
from robot_vision.models.card import Graph

NAMES = "robot_vision.json"
"""The file inside the archive that lists inputs and outputs by name, in order."""


def write_torchscript(
    graph: Graph, file: Path, inputs: Iterable[Mapping[str, np.ndarray]]
) -> float:
    """Trace the graph on the CPU and write it; returns its difference from the model.

    A trace records what the model did for the example: held-out `inputs` verify that it gives the
    same results for others. Raises `BundleError` if it does not, or cannot be traced.
    """
    module = graph.module.cpu().eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch's deprecations, and what the check covers
        try:
            example = tuple(graph.example.values())
            traced: Any = torch.jit.trace(module, example, check_trace=False)
        except Exception as error:  # the model decides what the tracer raises
            raise BundleError(f"{file.name} cannot be traced: {error}") from error

    def predict(given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        tensors = [torch.from_numpy(given[name]) for name in graph.example]
        with torch.no_grad():
            found = traced(*tensors)
        return {role: value.numpy() for role, value in zip(graph.outputs, found, strict=True)}

    difference = check_same(graph, predict, inputs, file=file, most=TOLERANCE * graph.amplifies)
    names = {"inputs": list(graph.example), "outputs": list(graph.outputs.values())}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(traced, str(file), _extra_files={NAMES: json.dumps(names)})
    return difference
