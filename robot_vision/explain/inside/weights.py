"""Statistics of each layer's weights and activations: dead and saturated channels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64, Real
from torch import Tensor, nn

from robot_vision.explain.heat import ExplainError
from robot_vision.explain.network.layer_taps import hooked

_BINS = 60
# A channel that never exceeds this share of its layer's spread is dead.
_DEAD = 1e-4
# Values beyond which an activation function is nearly flat.
_ENDS: dict[str, tuple[float, float]] = {
    "Sigmoid": (0.005, 0.995),
    "Hardsigmoid": (0.0, 1.0),
    "Tanh": (-0.995, 0.995),
    "ReLU6": (-np.inf, 6.0),
    "Softmax": (-np.inf, 0.995),
}
_SQUASHING = ("ReLU", "ReLU6", "GELU", "SiLU", "Hardswish", *_ENDS)


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerWeights:
    """Distribution of a layer's weights, and the number of rows that are nearly zero."""

    layer: str
    count: int
    mean: float
    deviation: float
    largest: float
    zero_rows: int
    rows: int
    edges: Float64[np.ndarray, " n"]
    counts: Int64[np.ndarray, " n"]


@dataclass(kw_only=True, eq=False)
class Activations:
    """A layer's outputs over several pictures, by channel."""

    layer: str
    module: str
    channels: int
    dead: int = 0
    saturated: float = 0.0
    lowest: float = np.inf
    highest: float = -np.inf
    values: list[Float64[np.ndarray, " n"]] = field(default_factory=list)
    largest: Float[Tensor, " c"] | None = None
    spread: float = 0.0
    seen: int = 0


def weights_of(model: nn.Module) -> list[LayerWeights]:
    """Weights of every layer with a matrix or kernels."""
    found = []
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            continue
        values = parameter.detach().double().cpu()
        rows = values.flatten(1).norm(dim=1)
        counts, edges = np.histogram(values.numpy(), bins=_BINS)
        scale = float(rows.median()) or float(rows.max())
        found.append(
            LayerWeights(
                layer=name,
                count=values.numel(),
                mean=float(values.mean()),
                deviation=float(values.std()),
                largest=float(values.abs().max()),
                zero_rows=int((rows <= 1e-3 * scale).sum()),
                rows=len(rows),
                edges=edges[:-1],
                counts=counts,
            )
        )
    return found


@torch.no_grad()
def activations_of(
    model: nn.Module, calls: Sequence[Callable[[], Mapping[str, Tensor]]]
) -> list[Activations]:
    """Outputs of every activation function over `calls`, one per picture.

    A channel is dead if it stays near zero at every place of every picture.
    """
    if not calls:
        raise ExplainError("no pictures for activations: expected one or more")
    known: dict[str, Activations] = {}

    def keep(name: str, module: nn.Module, value: object) -> None:
        kind = type(module).__name__
        if kind in _SQUASHING and isinstance(value, Tensor) and value.dim() >= 2:
            _add(known, name, kind, value)

    with hooked(model, keep):
        for call in calls:
            call()
    for one in known.values():
        assert one.largest is not None
        one.dead = int((one.largest <= _DEAD * max(one.spread, 1e-12)).sum())
        one.saturated /= max(one.seen, 1)
    return list(known.values())


def _add(
    known: dict[str, Activations], name: str, kind: str, value: Real[Tensor, "_b ..."]
) -> None:
    by_channel = value.movedim(1 if value.dim() == 4 else -1, 0).flatten(1).double()
    largest = by_channel.amax(dim=1)
    one = known.setdefault(name, Activations(layer=name, module=kind, channels=len(largest)))
    one.largest = largest if one.largest is None else torch.maximum(one.largest, largest)
    one.spread = max(one.spread, float(by_channel.std()))
    low, high = _ENDS.get(kind, (-np.inf, np.inf))
    one.saturated += float(((by_channel >= high) | (by_channel <= low)).double().mean())
    one.seen += 1
    one.lowest = min(one.lowest, float(by_channel.min()))
    one.highest = max(one.highest, float(by_channel.max()))
    sample = by_channel.flatten()
    one.values.append(sample[:: max(1, sample.numel() // 2000)].numpy())


def draw_histograms(
    file: Path, weights: Sequence[LayerWeights], activations: Sequence[Activations]
) -> None:
    """Write a PNG with a small histogram per layer, weights above activations."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shown: list[tuple[str, Any]] = [
        *((one.layer, (one.edges, one.counts)) for one in weights),
        *((f"{one.layer} ({one.dead} dead)", _histogram(one)) for one in activations),
    ]
    columns = 5
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3 * columns, 1.6 * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, (title, (edges, counts)) in zip(axes.flat, shown, strict=False):
        axis.axis("on")
        axis.fill_between(edges, counts, step="post", color="#0072b2")
        axis.set_yscale("log")
        axis.tick_params(labelsize=6)
        axis.set_title(title[-44:], fontsize=7)
    figure.savefig(file, dpi=100)
    plt.close(figure)


def _histogram(one: Activations) -> tuple[Float64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    counts, edges = np.histogram(np.concatenate(one.values), bins=_BINS)
    return edges[:-1], counts
