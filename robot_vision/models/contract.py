"""Checks a model against its card: shapes, and cost."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params
from robot_vision.models.card import Card

_DIMENSION = re.compile(
    r"(?:(?P<number>[0-9]+)|(?P<name>[a-z_]\w*))(?P<factor>[*/][0-9]+)?", re.ASCII
)


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One declared dimension: a number or a name, times or divided by a number."""

    text: str
    number: int = 0
    name: str = ""
    times: int = 1
    divided_by: int = 1

    def size(self, known: Mapping[str, int]) -> int | None:
        """The size it must have; None if its name is unknown or the division is inexact."""
        base = known.get(self.name) if self.name else self.number
        if base is None or base % self.divided_by:
            return None
        return base * self.times // self.divided_by


def parse_shape(declared: str) -> tuple[Dimension, ...]:
    """Parse `b h/16 w/16 64`; raises `ConfigError` that names any invalid dimension."""
    return tuple(_dimension(text, declared) for text in declared.split())


def _dimension(text: str, declared: str) -> Dimension:
    found = _DIMENSION.fullmatch(text)
    factor = int(found["factor"][1:]) if found and found["factor"] else 1
    if not found or factor == 0 or (found["number"] and found["factor"]):
        raise ConfigError(
            f"{text!r} in the shape {declared!r} is not a dimension; expected a number, a name, "
            "or a name divided or multiplied by a number, as h/16"
        )
    divides = bool(found["factor"]) and found["factor"][0] == "/"
    return Dimension(
        text=text,
        number=int(found["number"] or 0),
        name=found["name"] or "",
        times=1 if divides else factor,
        divided_by=factor if divides else 1,
    )


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A tensor of a model and its declaration."""

    where: str
    declared: str
    dimensions: tuple[Dimension, ...]
    shape: tuple[int, ...]


def check_shapes(
    card: Card[Any],
    spec: Params,
    inputs: Mapping[str, Tensor],
    outputs: Mapping[str, Tensor],
) -> None:
    """Raise `ConfigError` unless names and shapes are those that the card declares.

    Names in the shapes are integer fields of `spec`; other names must agree in all tensors.
    """
    found = [
        *_beside(card, "input", _of(card.inputs, spec), inputs),
        *_beside(card, "output", _of(card.outputs, spec), outputs),
    ]
    known = {n: v for n, v in spec.model_dump().items() if type(v) is int}
    for tensor in found:
        _check_rank(tensor)
        for dimension, size in zip(tensor.dimensions, tensor.shape, strict=True):
            if dimension.text == dimension.name:
                known.setdefault(dimension.name, size)
    for tensor in found:
        _check_sizes(tensor, known)


def _of(
    declared: Mapping[str, str] | Callable[[Any], Mapping[str, str]], spec: Params
) -> Mapping[str, str]:
    return declared(spec) if callable(declared) else declared


def _beside(
    card: Card[Any], what: str, declared: Mapping[str, str], tensors: Mapping[str, Tensor]
) -> Iterator[_Found]:
    if declared.keys() != tensors.keys():
        raise ConfigError(
            f"model {card.name!r}: the card declares the {what}s {', '.join(declared)}; "
            f"found {', '.join(tensors) or 'none'}"
        )
    for role, tensor in tensors.items():
        where = f"model {card.name!r}, {what} {role!r}"
        try:
            dimensions = parse_shape(declared[role])
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        yield _Found(
            where=where,
            declared=declared[role],
            dimensions=dimensions,
            shape=tuple(int(size) for size in tensor.shape),
        )


def _check_rank(tensor: _Found) -> None:
    if len(tensor.dimensions) != len(tensor.shape):
        raise ConfigError(
            f"{tensor.where}: declared {tensor.declared!r}, {len(tensor.dimensions)} dimensions; "
            f"found {list(tensor.shape)}"
        )


def _check_sizes(tensor: _Found, known: Mapping[str, int]) -> None:
    wanted = [dimension.size(known) for dimension in tensor.dimensions]
    if wanted == list(tensor.shape):
        return
    names = {d.name: known.get(d.name, "unknown") for d in tensor.dimensions if d.name}
    raise ConfigError(
        f"{tensor.where}: declared {tensor.declared!r}, which is "
        f"[{', '.join('?' if size is None else str(size) for size in wanted)}] "
        f"with {', '.join(f'{n} = {v}' for n, v in names.items()) or 'no names'}; "
        f"found {list(tensor.shape)}"
    )


def parameters_of(card: Card[Any]) -> int:
    """Number of parameters of the model of the card's spec, trainable or not."""
    with torch.random.fork_rng(devices=[]):
        return sum(p.numel() for p in card.build(card.spec).parameters())


def gmacs_of(card: Card[Any]) -> float:
    """Billions of multiply-adds per sample, at the size of the card's example."""
    with torch.random.fork_rng(devices=[]):
        model = card.build(card.spec).eval()
    return gmacs(model, card.arguments(card.example(card.spec, 1)))


def gmacs(model: nn.Module, inputs: Iterable[Any]) -> float:
    """Billions of multiply-adds of a model on these inputs."""
    return macs_by_module(model, inputs)[""] / 1e9


def macs_by_module(model: nn.Module, inputs: Iterable[Any]) -> dict[str, int]:
    """Multiply-adds of each module, submodules included, by name.

    The name of the model itself is empty. Modules without multiplications are left out.
    """
    # The counter misses fused attention on the CPU, hence plain matrix products. It tracks
    # parameters that are passed to a layer as an input, which fails without gradients.
    with (
        torch.enable_grad(),
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        model(*inputs)
    root = type(model).__name__
    counts = {name: sum(kinds.values()) // 2 for name, kinds in counter.get_flop_counts().items()}
    within = {
        name.removeprefix(f"{root}."): count
        for name, count in counts.items()
        if name.startswith(f"{root}.")
    }
    return {"": counter.get_total_flops() // 2, **within}
