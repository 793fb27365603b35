"""Learning rates by parameter name, including frozen parameters."""

import math
from collections.abc import Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from robot_vision.core.errors import ConfigError
from robot_vision.training.engine.recipes.recipe import OptimizerOptions


def named_parameters(model: nn.Module, beside: Mapping[str, nn.Module]) -> dict[str, nn.Parameter]:
    """Parameters by name: the model's own names, others prefixed with their module's name."""
    named = dict(model.named_parameters())
    for name, module in beside.items():
        named |= {f"{name}.{inner}": p for inner, p in module.named_parameters()}
    return named


def rate_factors(names: list[str], rates: Mapping[str, float]) -> dict[str, float]:
    """The factor of each name, 1 if no pattern matches; the last matching pattern counts.

    Raises `ConfigError` for a factor that is negative or not a number, a pattern that matches
    nothing, or if nothing is left to train.
    """
    factors = dict.fromkeys(names, 1.0)
    for pattern, factor in rates.items():
        if not 0 <= factor < math.inf:
            raise ConfigError(f"optimizer.rates: {pattern!r} has {factor}; expected 0 or more")
        matching = [name for name in names if fnmatchcase(name, pattern)]
        if not matching:
            close = get_close_matches(pattern.strip("*."), names, n=3, cutoff=0.3) or names[:3]
            raise ConfigError(
                f"optimizer.rates: {pattern!r} matches no parameter; the nearest of "
                f"{len(names)} are {', '.join(close)}"
            )
        factors |= dict.fromkeys(matching, factor)
    if not any(factors.values()):
        raise ConfigError("optimizer.rates freezes every parameter: nothing is left to train")
    return factors


def freeze(parameters: Mapping[str, nn.Parameter], factors: Mapping[str, float]) -> None:
    """Freeze parameters with factor 0. Those that a task froze itself stay frozen."""
    for name, parameter in parameters.items():
        if factors[name] == 0:
            parameter.requires_grad_(False)


def frozen_norms(model: nn.Module) -> list[nn.Module]:
    """Batch norms without trainable parameters: their statistics must not change either."""
    found = []
    for module in model.modules():
        own = list(module.parameters()) if isinstance(module, _BatchNorm) else []
        if own and not any(p.requires_grad for p in own):
            found.append(module)
    return found


def build_optimizer(
    options: OptimizerOptions,
    parameters: Mapping[str, nn.Parameter],
    factors: Mapping[str, float],
) -> torch.optim.Optimizer:
    """AdamW; no decay of biases, norms and balances, which are one-dimensional.

    Each group holds the `names` of its parameters and the `factor` of their learning rate.
    """
    groups = []
    for factor in sorted(set(factors.values()), reverse=True):
        for decays in (True, False):
            names = [
                name
                for name, p in parameters.items()
                if p.requires_grad and factors[name] == factor and (p.ndim > 1) == decays
            ]
            if names:
                group = {"params": [parameters[n] for n in names], "names": names}
                decay = options.weight_decay if decays else 0.0
                groups.append(group | {"factor": factor, "weight_decay": decay})
    return torch.optim.AdamW(groups, lr=options.learning_rate, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The rate of each group: `rate` times its factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
