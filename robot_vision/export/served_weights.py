"""A policy served by torch: its weights as a file, verified like a graph."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from robot_vision.backends.policy_engines.torch_engine import open_torch
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.export.parity import TOLERANCE, largest_differences, torch_predictor
from robot_vision.export.run_folder import Trained
from robot_vision.models.policies.chunk_serving import PolicyNetwork
from robot_vision.models.weights import Weights, write_weights
from robot_vision.training.engine.task import Predictor

_SAMPLES = 20


def write_served_weights(trained: Trained, file: Path) -> tuple[float, Predictor]:
    """The served weights (adapters merged), and how far the weights read back differ from them.

    The predictor runs the weights read back. Raises `ConfigError` for models that torch does not
    serve, `BundleError` if its results differ.
    """
    network = trained.graphs[-1]
    if not isinstance(network.module, PolicyNetwork):
        raise ConfigError(
            f"model {trained.card.name!r} is served by ONNX: expected --engine onnx (torch serves "
            "policies of chunks, as pixel-policy and vlm-policy)"
        )
    policy = network.module.policy
    served = Weights(
        file=file,
        tensors=policy.state_dict(),
        model=trained.card.name,
        spec=policy.spec.model_dump(mode="json"),
        travels=trained.weights.travels,
    )
    write_weights(file, served)
    opened = open_torch(file, threads=1)

    def predict(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = opened.run(list(network.outputs.values()), inputs)
        return dict(zip(network.outputs, found, strict=True))

    samples = trained.held_out.inputs(network.file, _SAMPLES)
    worst = max(largest_differences(torch_predictor(network), predict, samples).values())
    if worst > TOLERANCE * network.amplifies:
        raise BundleError(
            f"{file} differs from what was trained by {worst:.2g} of its row's largest value, "
            f"expected at most {TOLERANCE * network.amplifies:g}"
        )
    return worst, predict
