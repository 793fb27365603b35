"""Multiplications, parameters and peak memory of a torch network's layers."""

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from robot_vision.models.contract import macs_by_module


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer's own share, without its inner layers."""

    name: str
    kind: str
    parameters: int
    macs: int


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes of weights, of all layers' outputs, and of those alive at once."""

    weights: int
    activations: int
    peak_activations: int


def torch_layers(module: nn.Module, inputs: Sequence[Shaped[Tensor, "..."]]) -> list[Layer]:
    """Layers that multiply or hold parameters, in the order of their modules."""
    macs = _own_macs(macs_by_module(module, inputs))
    seen: set[int] = set()
    layers = []
    for name, part in module.named_modules():
        new = [p for p in part.parameters(recurse=False) if id(p) not in seen]
        seen.update(id(p) for p in new)
        layer = Layer(
            name=name or "(the network itself)",
            kind=type(part).__name__,
            parameters=sum(p.numel() for p in new),
            macs=macs.get(name, 0),
        )
        if layer.macs or layer.parameters:
            layers.append(layer)
    return layers


def torch_memory(module: nn.Module, inputs: Sequence[Shaped[Tensor, "..."]]) -> Memory:
    """The memory that operators allocate in one run without gradients."""
    tensors = {id(t): t for t in (*module.parameters(), *module.buffers())}
    weights = sum(t.numel() * t.element_size() for t in tensors.values())
    with torch.no_grad(), _allocations([*tensors.values(), *inputs]) as counted:
        module(*inputs)
    return Memory(weights=weights, activations=counted.all, peak_activations=counted.peak)


def _own_macs(macs: Mapping[str, int]) -> dict[str, int]:
    """Counts without those of the nearest inner modules by name."""
    own = dict(macs)
    for name, count in macs.items():
        above = name
        while above:
            above = above.rpartition(".")[0]
            if above in macs:
                own[above] -= count
                break
    return own


class _Allocations(TorchDispatchMode):
    """Bytes of storages that operators allocate: the total, and the peak."""

    def __init__(self, known: Sequence[Shaped[Tensor, "..."]]) -> None:
        super().__init__()
        self.all = self.peak = self._alive = 0
        self._seen: set[int] = set()
        for tensor in known:
            self._remember(tensor)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        found = func(*args, **(kwargs or {}))
        for value in tree_iter(found):
            if isinstance(value, Tensor):
                made = self._remember(value)
                self.all += made
                self._alive += made
        self.peak = max(self.peak, self._alive)
        return found

    def _remember(self, tensor: Shaped[Tensor, "..."]) -> int:
        """Bytes of a tensor's storage; 0 if it was counted before."""
        storage = tensor.untyped_storage()
        key, size = id(storage), storage.nbytes()
        if key in self._seen:
            return 0
        self._seen.add(key)
        weakref.finalize(storage, self._forget, key, size)
        return size

    def _forget(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self._alive -= size


@contextmanager
def _allocations(known: Sequence[Shaped[Tensor, "..."]]) -> Iterator[_Allocations]:
    with _Allocations(known) as counted:
        yield counted
