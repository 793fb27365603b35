"""Whether an exported model says what its original says."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime as ort

from robot_vision.export.onnx import INPUTS, TENSOR_OF_ROLE
from robot_vision.model_store.onnx_open import open_onnx
from robot_vision.training.metrics.native import Predictor

TOLERANCE = 1e-4


def onnx_predictor(file: Path, *, threads: int = 1) -> Predictor:
    """Runs the model of `file` on the CPU through ONNX Runtime; outputs by role."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = open_onnx(file, options)

    def predict(*inputs: np.ndarray) -> dict[str, np.ndarray]:
        fed = dict(zip(INPUTS, inputs, strict=True))
        outputs = session.run(list(TENSOR_OF_ROLE.values()), fed)
        return {r: np.asarray(v) for r, v in zip(TENSOR_OF_ROLE, outputs, strict=True)}

    return predict


def largest_differences(
    original: Predictor,
    exported: Predictor,
    inputs: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> dict[str, float]:
    """Per output, the largest difference over all inputs.

    Relative to the largest value of its row (the last axis) where that exceeds 1: a box side at
    pixel 0.1 is the difference of two numbers of hundreds, and is as exact as they are.
    """
    worst: dict[str, float] = {}
    for given in inputs:
        one, other = original(*given), exported(*given)
        for role, value in one.items():
            scale = np.maximum(np.abs(value).max(axis=-1, keepdims=True), 1.0)
            difference = np.abs(value - other[role]) / scale
            worst[role] = max(worst.get(role, 0.0), float(difference.max()))
    return worst
