"""A policy as two ONNX files, one run per instruction and one per frame, and as a bundle."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robot_vision.core.errors import BundleError
from robot_vision.models.policies.pointer import Policy, PolicyNetwork
from robot_vision.policies.onnx_policy import LANGUAGE_INPUTS, NETWORK_INPUTS, NETWORK_OUTPUTS
from robot_vision.policies.session import open_policy_session

OPSET = 18
TOLERANCE = 1e-4


class _Served(nn.Module):
    """The network with a tuple of outputs in the order of `NETWORK_OUTPUTS`."""

    def __init__(self, network: PolicyNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        named = self.network(*inputs)
        return tuple(named[name] for name in NETWORK_OUTPUTS)


def export_policy(policy: Policy, folder: Path, *, language_file: str, file: str) -> float:
    """Write both ONNX files of `policy` into `folder`, for one instruction and one observation.

    Returns the largest difference from torch on random inputs; raises `BundleError` if it
    exceeds `TOLERANCE`.
    """
    policy = policy.cpu().eval()
    folder.mkdir(parents=True, exist_ok=True)
    tokens = torch.zeros(1, policy.spec.max_words, dtype=torch.int64)
    tokens[0, 0] = 1
    _export(policy.language, (tokens,), folder / language_file, LANGUAGE_INPUTS, ("encoding",))
    inputs = random_inputs(policy, seed=0)
    _export(_Served(policy.network), inputs, folder / file, NETWORK_INPUTS, NETWORK_OUTPUTS)
    return check_policy_parity(policy, folder / language_file, folder / file)


def random_inputs(policy: Policy, *, seed: int) -> tuple[Tensor, ...]:
    """Inputs of the network in the order of `NETWORK_INPUTS`, spread as the training data are."""
    spec, network = policy.spec, policy.network
    draw = torch.Generator().manual_seed(seed)

    def normal(name: str, *shape: int) -> Tensor:
        mean, scale = getattr(network, f"{name}_mean"), getattr(network, f"{name}_scale")
        return torch.randn(*shape, generator=draw) * scale + mean

    words = int(torch.randint(1, spec.max_words + 1, (1,), generator=draw))
    tokens = torch.randint(1, spec.words + 1, (1, spec.max_words), generator=draw)
    tokens[:, words:] = 0
    objects = 16
    return (
        policy.language(tokens).detach(),
        tokens > 0,
        normal("objects", 1, objects, spec.object_width),
        torch.arange(objects)[None] < int(torch.randint(0, objects + 1, (1,), generator=draw)),
        normal("visual", 1, spec.visual_cells, spec.visual_width),
        torch.rand(1, 1, generator=draw) < 0.8,
        normal("robot", 1, spec.robot_width),
        torch.randn(1, 2, objects + 2, generator=draw),
    )


def check_policy_parity(
    policy: Policy, language_file: Path, file: Path, *, runs: int = 20
) -> float:
    """The largest difference between the files and torch; raises `BundleError` if it is large.

    Relative to the largest value of an output where that exceeds 1.
    """
    network = open_policy_session(file, inputs=NETWORK_INPUTS, threads=1)
    language = open_policy_session(language_file, inputs=LANGUAGE_INPUTS, threads=1)
    worst = 0.0
    for seed in range(runs):
        inputs = random_inputs(policy, seed=seed)
        fed = {n: i.numpy() for n, i in zip(NETWORK_INPUTS, inputs, strict=True)}
        with torch.no_grad():
            expected = policy.network(*inputs)
            tokens = inputs[1].to(torch.int64)
            encoding = policy.language(tokens)
        got = dict(zip(NETWORK_OUTPUTS, network.run(list(NETWORK_OUTPUTS), fed), strict=True))
        worst = max(worst, *(_difference(expected[n], got[n]) for n in NETWORK_OUTPUTS))
        worst = max(
            worst,
            _difference(encoding, language.run(None, {LANGUAGE_INPUTS[0]: tokens.numpy()})[0]),
        )
    if not worst <= TOLERANCE:
        raise BundleError(f"{file} differs from torch by {worst:.2g}; expected {TOLERANCE:g}")
    return worst


def _difference(expected: Tensor, got: Any) -> float:
    value = expected.numpy()
    return float(np.abs(value - got).max() / max(1.0, float(np.abs(value).max())))


def _export(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    file: Path,
    input_names: tuple[str, ...],
    output_names: tuple[str, ...],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            module.eval(),
            inputs,
            input_names=list(input_names),
            output_names=list(output_names),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.save(file, external_data=False)
