"""Whole channels: coupled layers by torch-pruning, each group of them proven to be exact.

A group is one width: all layers that must lose a channel together (residuals, depthwise
convolutions, what is added). A group is pruned only if the narrower model says what the whole one
says with the same channels unread; else it is refused with the reason. So a channel that is
averaged, normalised over or reshaped cannot be lost in silence.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

import torch
from torch import Tensor, nn

from robot_vision.compressing.pruning.answers import answering_layers
from robot_vision.core.errors import ConfigError

Importance = Literal["magnitude", "bn_scale"]
_TOLERANCE = 1e-3
_ROOTS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How much of each width goes: the part `ratio`, or that of the last pattern that matches a
    layer of the group; what is left is a multiple of `round_to`."""

    ratio: float
    round_to: int
    by: Importance
    ratios: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pruned:
    """A narrower model. `widths` are (now, before) of the first layer of each group."""

    model: nn.Module
    widths: dict[str, tuple[int, int]]
    refused: dict[str, str]


def prune_channels(model: nn.Module, arguments: Sequence[Any], wanted: Wanted) -> Pruned:
    """Prune a copy of the model by its weights; `arguments` are an example of what it takes.

    Raises `ConfigError` if torch-pruning is missing, or no group of layers can be narrower.
    """
    current = copy.deepcopy(model).eval().requires_grad_(True)
    widths: dict[str, tuple[int, int]] = {}
    refused: dict[str, str] = {}
    covered = answering_layers(current, current(*arguments))
    for name, module in model.named_modules():
        if name in covered or not isinstance(module, _ROOTS) or _is_depthwise(module):
            continue
        try:
            current, members, kept = _without(current, name, arguments, wanted)
            widths[name] = (kept, _width(module))
        except _RefusedError as refusal:
            members = refusal.members
            refused[name] = str(refusal)
        covered |= members | {name}
    if not widths:
        listed = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise ConfigError(f"nothing of this model can be pruned. {listed or 'It has no layers'}")
    return Pruned(model=current, widths=widths, refused=refused)


class _RefusedError(Exception):
    def __init__(self, why: str, members: set[str] | None = None) -> None:
        super().__init__(why)
        self.members = members or set()


def _without(
    model: nn.Module, name: str, arguments: Sequence[Any], wanted: Wanted
) -> tuple[nn.Module, set[str], int]:
    """A copy with a narrower group, the group's layers, and how wide it is."""
    attempt = copy.deepcopy(model)
    names = {module: inner for inner, module in attempt.named_modules()}
    pruning = _torch_pruning()
    graph = pruning.DependencyGraph().build_dependency(attempt, example_inputs=tuple(arguments))
    root = attempt.get_submodule(name)
    make = graph.get_pruner_of_module(root).prune_out_channels
    width = _width(root)
    whole = graph.get_pruning_group(root, make, list(range(width)))
    members = _members(graph, whole, names)
    _check_members(graph, whole, model, arguments, names, members)
    kept = _kept(width, members | {name}, wanted)
    scores = _scores(pruning, whole, wanted.by, members)
    lost = sorted(scores.argsort()[: width - kept].tolist())
    group = graph.get_pruning_group(root, make, lost)
    unread = _unread(model, graph, group, names)
    with torch.no_grad():
        expected = unread(*arguments)
        try:
            group.prune()
            found = attempt(*arguments)
        except (RuntimeError, ValueError, IndexError) as error:
            reason = str(error).splitlines()[0]
            raise _RefusedError(f"it no longer runs when narrower: {reason}", members) from error
    _check_same(expected, found, members)
    return attempt, members, kept


def _check_members(
    graph: Any,
    group: Any,
    model: nn.Module,
    arguments: Sequence[Any],
    names: Mapping[nn.Module, str],
    members: set[str],
) -> None:
    bare = [dep.target.name for dep, _ in group if isinstance(dep.target.module, nn.Parameter)]
    if bare:
        raise _RefusedError(f"it shares its width with a parameter of no layer: {bare[0]}", members)
    if not any(_reads(graph, dep, names) for dep, _ in group):
        raise _RefusedError("no layer reads it", members)
    answering = sorted(members & answering_layers(model, model(*arguments)))
    if answering:
        raise _RefusedError(f"its width is that of an answer ({answering[0]})", members)


def _kept(width: int, members: set[str], wanted: Wanted) -> int:
    ratio = wanted.ratio
    for pattern, own in wanted.ratios.items():
        if any(fnmatchcase(member, pattern) for member in members):
            ratio = own
    step = wanted.round_to
    kept = max(step, round(width * (1 - ratio) / step) * step)
    if kept >= width:
        raise _RefusedError(f"{width} channels, nothing to lose at a multiple of {step}", members)
    return kept


def _scores(pruning: Any, group: Any, by: Importance, members: set[str]) -> Tensor:
    """How much each channel of the group matters, over all layers of the group."""
    if by == "magnitude":
        return pruning.importance.GroupMagnitudeImportance(p=2)(group)
    found = pruning.importance.BNScaleImportance()(group)
    if found is None:
        raise _RefusedError("no batch norm scales it: prune it by magnitude", members)
    return found


def _unread(
    model: nn.Module, graph: Any, group: Any, names: Mapping[nn.Module, str]
) -> nn.Module:
    """The whole model, whose layers no longer read the channels that the group loses."""
    masked = copy.deepcopy(model)
    with torch.no_grad():
        for dep, lost in group:
            if _reads(graph, dep, names):
                layer = masked.get_submodule(names[dep.target.module])
                assert isinstance(layer.weight, Tensor)
                is_transposed = isinstance(layer, nn.ConvTranspose2d)
                layer.weight.index_fill_(0 if is_transposed else 1, torch.tensor(lost), 0.0)
    return masked


def _reads(graph: Any, dep: Any, names: Mapping[nn.Module, str]) -> bool:
    """Whether the dependency is that of a layer which takes the channels in and mixes them."""
    layer = dep.target.module
    return (
        layer in names
        and isinstance(layer, _ROOTS)
        and not _is_depthwise(layer)
        and not graph.is_out_channel_pruning_fn(dep.handler)
    )


def _members(graph: Any, group: Any, names: Mapping[nn.Module, str]) -> set[str]:
    """Layers that lose the channels they give out."""
    return {
        names[dep.target.module]
        for dep, _ in group
        if dep.target.module in names and graph.is_out_channel_pruning_fn(dep.handler)
    }


def _check_same(
    expected: Mapping[str, Tensor], found: Mapping[str, Tensor], members: set[str]
) -> None:
    for role, value in expected.items():
        other = found[role]
        if value.shape != other.shape:
            raise _RefusedError(f"output {role!r} would have another shape", members)
        size = value.abs().max().clamp(min=1.0)
        difference = float((value - other).abs().max() / size)
        if not difference <= _TOLERANCE:
            raise _RefusedError(
                f"without these channels {role!r} differs by {difference:.2g} of its largest "
                "value from the model that does not read them (a norm or a mean over channels?)",
                members,
            )


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv1d | nn.Conv2d) and module.groups > 1


def _width(module: nn.Module) -> int:
    width = module.out_features if isinstance(module, nn.Linear) else module.out_channels
    assert isinstance(width, int)
    return width


def _torch_pruning() -> Any:
    try:
        import torch_pruning
    except ImportError as error:
        raise ConfigError(
            "structured pruning needs torch-pruning: pip install 'robot_vision[compress]'"
        ) from error
    return torch_pruning
