"""Checks that an exported graph gives the results of its original."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from robot_vision.core.errors import BundleError
from robot_vision.model_store.onnx_open import open_onnx
from robot_vision.models.card import Graph
from robot_vision.training.engine.task import Predictor

TOLERANCE = 1e-4
# Hidden or absent items have logits this low: they must not set the scale for others in their row.
_HIDDEN = 5e3


def onnx_predictor(file: Path, outputs: Mapping[str, str], *, threads: int = 1) -> Predictor:
    """Runs `file` on the CPU in ONNX Runtime; `outputs` are names of tensors by role."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = open_onnx(file, options)

    def predict(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = session.run(list(outputs.values()), dict(inputs))
        return {role: np.asarray(v) for role, v in zip(outputs, found, strict=True)}

    return predict


def torch_predictor(graph: Graph) -> Predictor:
    """Runs the graph's module on the device of its weights, in evaluation mode."""
    module = graph.module.eval()
    device = next((p.device for p in module.parameters()), torch.device("cpu"))

    def predict(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        tensors = [torch.from_numpy(inputs[name]).to(device) for name in graph.example]
        with torch.no_grad():
            found = module(*tensors)
        return {r: t.cpu().numpy() for r, t in zip(graph.outputs, found, strict=True)}

    return predict


def largest_differences(
    original: Predictor, exported: Predictor, inputs: Iterable[Mapping[str, np.ndarray]]
) -> dict[str, float]:
    """Per output, the largest difference over all inputs; infinite where a value is NaN.

    Relative to the largest value of its row (the last axis) where that exceeds 1: a box side at
    pixel 0.1 is the difference of two numbers in the hundreds, and only as exact as they are.
    """
    worst: dict[str, float] = {}
    for given in inputs:
        one, other = original(given), exported(given)
        for role, value in one.items():
            worst[role] = max(worst.get(role, 0.0), _difference(value, other[role]))
    return worst


def check_parity(
    graph: Graph, file: Path, inputs: Iterable[Mapping[str, np.ndarray]], *, most: float
) -> float:
    """The largest difference of an ONNX `file` from the graph in torch over real inputs.

    Raises `BundleError` if it exceeds `most`, or if there are no inputs to check with.
    """
    return check_same(graph, onnx_predictor(file, graph.outputs), inputs, file=file, most=most)


def check_same(
    graph: Graph,
    exported: Predictor,
    inputs: Iterable[Mapping[str, np.ndarray]],
    *,
    file: Path,
    most: float,
) -> float:
    """`check_parity` for anything that runs an exported `file`."""
    outputs = graph.outputs
    worst = largest_differences(torch_predictor(graph), exported, inputs)
    if not worst:
        raise BundleError(f"{file} cannot be compared with torch: there are no held-out samples")
    role = max(worst, key=lambda name: worst[name])
    if worst[role] > most:
        raise BundleError(
            f"{file}: output {outputs[role]!r} differs from torch by {worst[role]:.2g} of its "
            f"row's largest value, expected at most {most:g}"
        )
    return worst[role]


def _difference(expected: np.ndarray, found: np.ndarray) -> float:
    expected, found = (np.atleast_1d(a).astype(np.float64) for a in (expected, found))
    size = np.abs(expected)
    seen = np.where(size < _HIDDEN, size, 0.0).max(axis=-1, keepdims=True)
    scale = np.maximum(np.where(size < _HIDDEN, seen, size), 1.0)
    difference = np.abs(expected - found) / scale
    return float(np.where(np.isfinite(difference), difference, np.inf).max(initial=0.0))
