"""Theoretical and effective receptive fields of a layer's cells.

The theoretical one is exact for any network: in a copy of the computation without negative
weights and without selections, the cell's gradient reaches exactly the pixels that it can see.
The effective one is the gradient of the original network (arXiv:1701.04128).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Real
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from robot_vision.explain.heat import ExplainError
from robot_vision.explain.network.layer_taps import Tap, named, tapped

# Share of the total gradient inside the effective receptive field.
_MASS = 0.9
_SAME = {
    "relu", "relu_", "relu6", "gelu", "silu", "silu_", "mish", "elu", "leaky_relu", "leaky_relu_",
    "hardswish", "hardswish_", "hardtanh", "hardtanh_", "sigmoid", "hardsigmoid", "tanh",
    "softplus", "dropout", "dropout_", "batch_norm", "layer_norm", "rms_norm",
}  # fmt: skip
_PICTURES = 4

Call = Callable[[Real[Tensor, "1 h w 3"]], Mapping[str, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Field:
    """Width and height of the receptive fields of a layer's middle cell, in input pixels.

    `can_px` is the theoretical one; `does_px` the smallest box around the centre with 90 % of the
    gradient. `stride_px` is the distance between cells.
    """

    layer: str
    rows: int
    columns: int
    stride_px: float
    can_px: tuple[int, int]
    does_px: tuple[int, int]
    sees_all: bool


def fields(
    model: nn.Module,
    call: Call,
    pictures: Sequence[Real[Tensor, "1 h w 3"]],
    *,
    layers: Sequence[str] = (),
) -> list[Field]:
    """Fields of these layers, or of the last layer at each stride.

    Raises `ExplainError` for a layer without places in the picture, or that does not depend on it.
    """
    size = int(pictures[0].shape[1]), int(pictures[0].shape[2])
    can = _gradients(model, call, pictures[0], layers, mode=_Positive())
    does: dict[str, Float32[np.ndarray, "h w"]] = {}
    for picture in pictures[:_PICTURES]:
        for tap, gradient in _gradients(model, call, picture, layers, mode=None):
            does[tap.name] = does.get(tap.name, np.zeros(size, np.float32)) + gradient
    found = []
    for tap, gradient in can:
        seen = gradient > 0
        rows, columns = np.nonzero(seen)
        box = (int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1) if len(rows) else (0, 0)
        found.append(
            Field(
                layer=tap.name,
                rows=tap.rows,
                columns=tap.columns,
                stride_px=size[0] / tap.rows,
                can_px=box,
                does_px=_extent(does[tap.name], tap),
                sees_all=bool(seen.all()),
            )
        )
    return found


def _gradients(
    model: nn.Module,
    call: Call,
    picture: Real[Tensor, "1 h w 3"],
    layers: Sequence[str],
    *,
    mode: TorchFunctionMode | None,
) -> list[tuple[Tap, Float32[np.ndarray, "h w"]]]:
    """Gradient magnitudes of each layer's middle cell per pixel, summed over colours."""
    shown = picture.detach().float().requires_grad_()
    size = int(shown.shape[1]), int(shown.shape[2])

    def run() -> Mapping[str, Tensor]:
        if mode is None:
            return call(shown)
        with mode:
            return call(shown)

    with torch.enable_grad():
        _, taps = tapped(model, run, size=size)
    found = []
    for tap in _wanted(taps, layers):
        middle = tap.as_map(tap.value)[-1, :, tap.rows // 2, tap.columns // 2]
        if not middle.requires_grad:
            if tap.name in layers:
                raise ExplainError(f"layer {tap.name!r} does not depend on the picture")
            continue
        (gradient,) = torch.autograd.grad(
            _one_number(middle, is_positive=mode is not None), shown, retain_graph=True
        )
        found.append((tap, gradient[0].abs().sum(dim=2).float().numpy()))
    return found


def _one_number(channels: Float[Tensor, " c"], *, is_positive: bool) -> Float[Tensor, ""]:
    """A sum of channels with random signs, so that they do not cancel each other."""
    if is_positive:
        return channels.sum()
    signs = torch.randint(0, 2, channels.shape, generator=torch.Generator().manual_seed(0))
    return (channels * (2 * signs - 1)).sum()


def _wanted(taps: Sequence[Tap], layers: Sequence[str]) -> list[Tap]:
    if layers:
        return [named(taps, layer) for layer in layers]
    of_stride = {
        (tap.rows, tap.columns): tap for tap in taps if tap.kind != "tokens" or tap.is_norm
    }
    return sorted(of_stride.values(), key=lambda tap: -tap.rows)


def _extent(gradient: Float32[np.ndarray, "h w"], tap: Tap) -> tuple[int, int]:
    """Width and height of the smallest box around the cell with most of the gradient."""
    height, width = gradient.shape
    total = float(gradient.sum())
    if total <= 0:
        return 0, 0
    middle_y = round((tap.rows // 2 + 0.5) * height / tap.rows)
    middle_x = round((tap.columns // 2 + 0.5) * width / tap.columns)
    for half in range(1, max(height, width)):
        top, left = max(0, middle_y - half), max(0, middle_x - half)
        inside = gradient[top : middle_y + half, left : middle_x + half]
        if float(inside.sum()) >= _MASS * total:
            return int(inside.shape[1]), int(inside.shape[0])
    return width, height


class _Positive(TorchFunctionMode):
    """The computation with positive weights and without non-linearities: connectivity only."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _SAME and args and isinstance(args[0], Tensor):
            return args[0]
        if name in ("conv2d", "linear", "conv_transpose2d"):
            return _joined(func, args, kwargs)
        if name in ("max_pool2d", "_max_pool2d", "boolean_dispatch"):
            return _mean_pool(*args, **kwargs)
        if name == "group_norm":
            return args[0] + args[0].mean(dim=tuple(range(1, args[0].dim())), keepdim=True)
        if func is F.scaled_dot_product_attention:
            query, _, value = args[:3]
            mean = value.mean(dim=-2, keepdim=True)
            return mean.expand(*query.shape[:-1], value.shape[-1])
        return func(*args, **kwargs)


def _joined(func: Any, args: Any, kwargs: Any) -> Float[Tensor, "..."]:
    """With equal weights that keep the magnitude of the values."""
    values, weight, *rest = args
    with torch.no_grad():
        alike = torch.full_like(weight, weight.shape[0] / max(weight.numel(), 1))
    rest = [None if isinstance(one, Tensor) else one for one in rest[:1]] + list(rest[1:])
    others = {key: None if key == "bias" else value for key, value in kwargs.items()}
    return func(values, alike, *rest, **others)


def _mean_pool(
    values: Float[Tensor, "*bc _h _w"],
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Float[Tensor, "*bc _hm _wm"]:
    """Replaces max pooling, in which only one pixel gets a gradient."""
    if dilation not in (1, (1, 1)) or return_indices:
        raise ExplainError(
            "receptive fields are not supported for max pooling with dilation or indices"
        )
    return F.avg_pool2d(values, kernel_size, stride, padding, ceil_mode)
