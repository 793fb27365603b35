"""Resumable checkpoints: one safetensors file holds weights, their average and the optimiser."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True, kw_only=True)
class RunState:
    """How far a run is: steps done, seconds spent training, best AP and evaluations since it."""

    step: int = 0
    trained_s: float = 0.0
    best_ap: float = 0.0
    stale_evaluations: int = 0


def save_checkpoint(
    file: Path,
    *,
    modules: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    state: RunState,
    class_names: tuple[str, ...],
) -> None:
    """Write atomically, so that a run killed while writing keeps the checkpoint before."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in modules.items():
        for name, tensor in module.state_dict().items():
            tensors[f"{prefix}.{name}"] = tensor.detach().cpu().contiguous()
    for index, moments in optimizer.state_dict()["state"].items():
        for moment in MOMENTS:
            tensors[f"optimizer.{index}.{moment}"] = moments[moment].detach().cpu().contiguous()
    metadata = {"state": json.dumps(asdict(state)), "classes": json.dumps(class_names)}
    partial = file.with_suffix(".partial")
    save_file(tensors, partial, metadata=metadata)
    partial.replace(file)


def load_checkpoint(
    file: Path, *, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer
) -> RunState:
    """Restore what `save_checkpoint` wrote; raises `ConfigError` when it is of another model."""
    try:
        with safe_open(file, framework="pt") as opened:
            state = RunState(**json.loads(opened.metadata()["state"]))
        tensors = load_file(file)
        for prefix, module in modules.items():
            module.load_state_dict(_below(tensors, prefix))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"cannot resume from {file}: {error}") from error
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    rows: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _below(tensors, "optimizer").items():
        index, moment = name.split(".")
        if tensor.ndim:  # laid out as its parameter is, or the sums would round differently
            tensor = torch.empty_like(parameters[int(index)]).copy_(tensor)
        rows.setdefault(int(index), {})[moment] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": rows})
    return state


def save_weights(file: Path, model: nn.Module, *, class_names: tuple[str, ...]) -> None:
    """The model's weights alone, with its class names: what is shipped and fine-tuned from."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    save_file(tensors, file, metadata={"classes": json.dumps(class_names)})


def load_weights_file(file: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Weights and class names of a file of `save_weights`."""
    try:
        with safe_open(file, framework="pt") as opened:
            classes = tuple(json.loads((opened.metadata() or {}).get("classes", "[]")))
        return load_file(file), classes
    except (SafetensorError, OSError, TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"cannot read the weights {file}: {error}") from error


def mean_weights(file: Path, other: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Mean of two files of `save_weights` of which one was trained from the other.

    Often better than either (Wortsman et al., arXiv:2109.01903). Raises `ConfigError` if they
    are of different networks or classes.
    """
    (tensors, classes), (others, other_classes) = load_weights_file(file), load_weights_file(other)
    shapes, other_shapes = (
        {name: tuple(t.shape) for name, t in weights.items()} for weights in (tensors, others)
    )
    if (shapes, classes) != (other_shapes, other_classes):
        differing = sorted(
            name
            for name in shapes.keys() | other_shapes.keys()
            if shapes.get(name) != other_shapes.get(name)
        )
        raise ConfigError(
            f"{file} and {other} cannot be averaged: they are of classes {', '.join(classes)} and "
            f"{', '.join(other_classes)} and differ in {', '.join(differing) or 'no layer'}"
        )
    mean = {
        name: torch.lerp(t, others[name], 0.5) if t.is_floating_point() else t
        for name, t in tensors.items()
    }
    return mean, classes


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {k[len(start) :]: v for k, v in tensors.items() if k.startswith(start)}
