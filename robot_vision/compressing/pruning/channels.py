"""Prunes whole channels: groups of coupled layers by torch-pruning, each verified to be exact.

A group is one width: all layers that must lose a channel together (residuals, depthwise
convolutions, sums). A group is pruned only if the narrower model gives the same outputs as the
whole one with these channels unread; otherwise it is refused with the reason. So a channel that is
averaged, normalised over or reshaped cannot be lost unnoticed.
"""

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.compressing.pruning.answers import answering_layers
from robot_vision.core.errors import ConfigError

Importance = Literal["magnitude", "bn_scale"]
_TOLERANCE = 1e-4
# Errors of torch-pruning for a graph that it cannot follow.
_FAULTS = (RuntimeError, ValueError, IndexError, KeyError, AttributeError, AssertionError)
_ROOTS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How much of each width to remove: the share `ratio`, or that of the last pattern that
    matches a layer of the group; the rest is a multiple of `round_to`."""

    ratio: float
    round_to: int
    by: Importance
    ratios: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pruned:
    """A narrower model. `widths` are (new, old) of the first layer of each group, `kept` the
    output channels of the whole model that each narrower layer still has."""

    model: nn.Module
    widths: dict[str, tuple[int, int]]
    kept: dict[str, tuple[int, ...]]
    refused: dict[str, str]


def prune_channels(model: nn.Module, arguments: Sequence[Any], wanted: Wanted) -> Pruned:
    """Prune a copy of the model by its weights; `arguments` are example inputs.

    Raises `ConfigError` if torch-pruning is missing, or no group of layers can be narrower.
    """
    current = copy.deepcopy(model).eval().requires_grad_(True)
    widths: dict[str, tuple[int, int]] = {}
    kept: dict[str, tuple[int, ...]] = {}
    refused: dict[str, str] = {}
    answers = answering_layers(current, current(*arguments))
    covered = set(answers)
    for name, module in model.named_modules():
        if name in covered or not isinstance(module, _ROOTS) or _is_depthwise(module):
            continue
        group = _Group(current, name, arguments)
        try:
            current = group.without(wanted, answers)
            widths[name] = (_width(current.get_submodule(name)), _width(module))
            kept |= group.kept
        except _RefusedError as refusal:
            refused[name] = str(refusal)
        covered |= group.members
    if not widths:
        listed = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise ConfigError(f"nothing of this model can be pruned. {listed or 'It has no layers'}")
    return Pruned(model=current, widths=widths, kept=kept, refused=refused)


class _RefusedError(Exception):
    pass


class _Group:
    """The layers of one width, by the name of the first; `members` lose output channels, and
    have those in `kept` once pruned."""

    def __init__(self, model: nn.Module, name: str, arguments: Sequence[Any]) -> None:
        self._model, self._name, self._arguments = model, name, arguments
        self._attempt = copy.deepcopy(model)
        self._names = {module: inner for inner, module in self._attempt.named_modules()}
        self.members = {name}
        self.kept: dict[str, tuple[int, ...]] = {}

    def without(self, wanted: Wanted, answers: set[str]) -> nn.Module:
        """A copy without the group's least important channels; raises `_RefusedError`."""
        pruning = _torch_pruning()
        root = self._attempt.get_submodule(self._name)
        width = _width(root)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parameters that no layer owns: refused below
            try:
                graph = pruning.DependencyGraph()
                graph.build_dependency(self._attempt, example_inputs=tuple(self._arguments))
                make = graph.get_pruner_of_module(root).prune_out_channels
                whole = graph.get_pruning_group(root, make, list(range(width)))
            except _FAULTS as error:
                raise _RefusedError(f"torch-pruning cannot follow it: {_first(error)}") from error
            self.members |= self._losing(graph, whole)
            self._check(graph, whole, answers)
            new_width = _new_width(width, self.members, wanted)
            scores = _scores(pruning, whole, wanted.by)
            lost = sorted(scores.argsort()[: width - new_width].tolist())
            group = graph.get_pruning_group(root, make, lost)
            self.kept = self._kept(graph, group)
        unread = self._unread(graph, group)
        with torch.no_grad():
            expected = unread(*self._arguments)
            try:
                group.prune()
                found = self._attempt(*self._arguments)
            except _FAULTS as error:
                raise _RefusedError(f"it does not run when narrower: {_first(error)}") from error
        _check_same(expected, found)
        return self._attempt

    def _kept(self, graph: Any, group: Any) -> dict[str, tuple[int, ...]]:
        """Output channels that stay in each layer that mixes channels."""
        return {
            self._names[dep.target.module]: tuple(
                sorted(set(range(_width(dep.target.module))) - set(lost))
            )
            for dep, lost in group
            if isinstance(dep.target.module, _ROOTS)
            and graph.is_out_channel_pruning_fn(dep.handler)
        }

    def _losing(self, graph: Any, group: Any) -> set[str]:
        return {
            self._names[dep.target.module]
            for dep, _ in group
            if dep.target.module in self._names and graph.is_out_channel_pruning_fn(dep.handler)
        }

    def _check(self, graph: Any, group: Any, answers: set[str]) -> None:
        bare = [d.target.name for d, _ in group if isinstance(d.target.module, nn.Parameter)]
        if bare:
            raise _RefusedError(f"it shares its width with a parameter of no layer: {bare[0]}")
        if answering := sorted(self.members & answers):
            raise _RefusedError(f"its width is that of an output ({answering[0]})")
        if not any(self._reads(graph, dep) for dep, _ in group):
            raise _RefusedError("no layer reads it")

    def _reads(self, graph: Any, dep: Any) -> bool:
        """Whether the dependency belongs to a layer that reads the channels and mixes them."""
        layer = dep.target.module
        return (
            layer in self._names
            and isinstance(layer, _ROOTS)
            and not _is_depthwise(layer)
            and not graph.is_out_channel_pruning_fn(dep.handler)
        )

    def _unread(self, graph: Any, group: Any) -> nn.Module:
        """The whole model, with layers that ignore the channels that the group loses."""
        masked = copy.deepcopy(self._model)
        with torch.no_grad():
            for dep, lost in group:
                if self._reads(graph, dep):
                    layer = masked.get_submodule(self._names[dep.target.module])
                    assert isinstance(layer.weight, Tensor)
                    inputs = 0 if isinstance(layer, nn.ConvTranspose2d) else 1
                    layer.weight.index_fill_(inputs, torch.tensor(lost), 0.0)
        return masked


def _new_width(width: int, members: set[str], wanted: Wanted) -> int:
    ratio = wanted.ratio
    for pattern, own in wanted.ratios.items():
        if any(fnmatchcase(member, pattern) for member in members):
            ratio = own
    step = wanted.round_to
    kept = max(step, round(width * (1 - ratio) / step) * step)
    if kept >= width:
        raise _RefusedError(f"{width} channels, nothing to lose at a multiple of {step}")
    return kept


def _scores(pruning: Any, group: Any, by: Importance) -> Float[Tensor, " channels"]:
    """How much each channel of the group matters, over all layers of the group."""
    if by == "magnitude":
        return pruning.importance.GroupMagnitudeImportance(p=2)(group)
    found = pruning.importance.BNScaleImportance()(group)
    if found is None:
        raise _RefusedError("it has no batch norm: prune it by magnitude")
    return found


def _check_same(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    for role, value in expected.items():
        other = found[role]
        if value.shape != other.shape:
            raise _RefusedError(f"output {role!r} would have another shape")
        size = value.abs().max().clamp(min=1.0)
        difference = float((value - other).abs().max() / size)
        if not difference <= _TOLERANCE:
            raise _RefusedError(
                f"without these channels {role!r} differs by {difference:.2g} of its largest "
                "value from the model that ignores them (a norm or a mean over channels?)"
            )


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [repr(error)])[0][:200]


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
