"""Resumable checkpoints: one safetensors file holds weights, their average and the optimiser."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.disk import free_room
from robot_vision.core.files.foreign import quoted
from robot_vision.models.weights import Weights, write_weights
from robot_vision.training.engine.run import Run
from robot_vision.training.engine.stepping.schedule import RunState

MOMENTS = ("exp_avg", "exp_avg_sq", "step")
_OPTIMIZER = "optimizer"


def save_checkpoint(file: Path, run: Run, state: RunState) -> None:
    """Write atomically: a run that is killed, or hits a full disk, keeps the previous one.

    Raises `ConfigError` that names the folder if it cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for prefix, module in run.modules.items():
        for name, tensor in module.state_dict().items():
            tensors[f"{prefix}.{name}"] = tensor.detach().cpu().contiguous()
    for name, parameter in _trained(run).items():
        for moment in MOMENTS:
            kept = run.optimizer.state.get(parameter, {})
            if moment in kept:
                tensors[f"{_OPTIMIZER}.{name}.{moment}"] = kept[moment].detach().cpu().contiguous()
    metadata = {
        "state": json.dumps(asdict(state)),
        "of": json.dumps(_identity(run)),
        "scaler": json.dumps(run.precision.scaler.state_dict()),
    }
    partial = file.with_suffix(".partial")
    try:
        save_file(tensors, partial, metadata=metadata)
        partial.replace(file)
    except (SafetensorError, OSError) as error:
        partial.unlink(missing_ok=True)
        raise cannot_save(file, error) from error


def cannot_save(file: Path, error: Exception) -> ConfigError:
    """The error for a file of a run that cannot be written."""
    return ConfigError(
        f"cannot save {file.name} in {file.parent}: {error}; {free_room(file.parent)}. The last "
        "good checkpoint is intact: make room and run the same command again"
    )


def save_run_weights(file: Path, run: Run) -> None:
    """Only the averaged weights, for shipping and fine-tuning, with their metadata."""
    weights = Weights(
        file=file,
        tensors=run.averaged.module.state_dict(),
        model=run.card.name,
        spec=run.spec.model_dump(mode="json"),
        travels=run.travels(),
        pruned=run.pruned,
    )
    try:
        write_weights(file, weights)
    except (ConfigError, OSError) as error:
        raise cannot_save(file, error) from error


def load_checkpoint(file: Path, run: Run) -> RunState:
    """Restore what `save_checkpoint` wrote.

    Raises `ConfigError` if it is damaged, or of another task, model, spec or data: both values are
    named.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = dict(opened.metadata() or {})
        tensors = load_file(file)
        state = RunState(**json.loads(metadata["state"]))
        identity, scaler = json.loads(metadata["of"]), json.loads(metadata["scaler"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"cannot resume from {file}: {quoted(repr(error))}") from error
    _check_identity(file, identity, _identity(run))
    try:
        for prefix, module in run.modules.items():
            module.load_state_dict(_below(tensors, prefix))
        _restore_optimizer(run, _below(tensors, _OPTIMIZER))
        if run.precision.scaler.is_enabled():
            run.precision.scaler.load_state_dict(scaler)
    except (KeyError, RuntimeError) as error:
        raise ConfigError(
            f"cannot resume from {file}: {error}; the recipe's rates or precision differ from "
            "those it was written with. Continue in another folder, with run.init_weights"
        ) from error
    return state


def _identity(run: Run) -> dict[str, Any]:
    """What a run must share with a checkpoint to resume from it."""
    return {
        "task": run.recipe.task,
        "model": run.card.name,
        "spec": run.spec.model_dump(mode="json"),
        "data": json.loads(json.dumps(run.task.travels())),
    }


def _check_identity(file: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    advice = "train into another folder, from its weights if you like (run.init_weights)"
    for name in ("task", "model"):
        if found.get(name) != wanted[name]:
            raise ConfigError(
                f"cannot resume from {file}: it is of the {name} {quoted(found.get(name))}, the "
                f"recipe's is {wanted[name]!r}; {advice}"
            )
    for name in ("spec", "data"):
        one, other = dict(found.get(name) or {}), dict(wanted[name])
        for key in sorted(one.keys() | other.keys()):
            if one.get(key) != other.get(key):
                raise ConfigError(
                    f"cannot resume from {file}: its {name} have {key} "
                    f"{quoted(one.get(key))}, now it is {quoted(other.get(key))}; {advice}"
                )


def _trained(run: Run) -> dict[str, torch.nn.Parameter]:
    """The optimiser's state, by name."""
    return {
        name: parameter
        for group in run.optimizer.param_groups
        for name, parameter in zip(group["names"], group["params"], strict=True)
    }


def _restore_optimizer(run: Run, tensors: Mapping[str, Tensor]) -> None:
    parameters = _trained(run)
    rows: dict[int, dict[str, Tensor]] = {}
    indices = {name: index for index, name in enumerate(parameters)}
    for full_name, stored in tensors.items():
        name, _, moment = full_name.rpartition(".")
        kept = stored
        if stored.ndim:  # laid out as its parameter is, or the sums would round differently
            kept = torch.empty_like(parameters[name]).copy_(stored)
        rows.setdefault(indices[name], {})[moment] = kept
    run.optimizer.load_state_dict({**run.optimizer.state_dict(), "state": rows})


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {k[len(start) :]: v for k, v in tensors.items() if k.startswith(start)}
