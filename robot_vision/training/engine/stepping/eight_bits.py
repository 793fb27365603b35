"""Quantisation-aware training: layers compute with numbers as coarse as in INT8.

Weights are rounded per output channel, symmetric; a layer's input by a range that follows
the batches (Jacob et al., arXiv:1712.05877). Gradients pass straight through. Weights
on file stay unrounded; the ranges are stored beside them, and the export quantises with them.
A batch norm after a layer changes nothing: it scales each channel together with its steps.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError

RANGES = "eight_bit_ranges"
_FOLLOWS = 0.05  # weight of a batch's range in the running one
_LEAST_SCALE = 1e-8


class Ranges(nn.Module):
    """The range of each layer's input, from lowest to highest, by the layer's name."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.rows = {name: row for row, name in enumerate(names)}
        self.low: Float[Tensor, " layers"]
        self.high: Float[Tensor, " layers"]
        self.seen: Float[Tensor, " layers"]
        self.register_buffer("low", torch.zeros(len(names)))
        self.register_buffer("high", torch.zeros(len(names)))
        self.register_buffer("seen", torch.zeros(len(names)))

    def follow(self, name: str, x: Float[Tensor, "..."]) -> None:
        row = self.rows[name]
        low, high = torch.aminmax(x.detach().float())
        part = torch.where(self.seen[row] == 0, 1.0, _FOLLOWS)
        self.low[row] = torch.lerp(self.low[row], low.clamp(max=0), part)
        self.high[row] = torch.lerp(self.high[row], high.clamp(min=0), part)
        self.seen[row] += 1

    def rounded(self, name: str, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Rounded to 256 steps from lowest to highest; zero is one of them."""
        row = self.rows[name]
        scale = ((self.high[row] - self.low[row]) / 255).clamp(min=_LEAST_SCALE)
        zero = (-self.low[row] / scale).round().clamp(0, 255).to(torch.int32)
        return torch.fake_quantize_per_tensor_affine(x.float(), scale, zero, 0, 255)

    def travels(self) -> dict[str, list[float]]:
        return {
            name: [float(self.low[row]), float(self.high[row])]
            for name, row in self.rows.items()
            if self.seen[row] > 0
        }


def find_layers(model: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Convolutions and linear layers that match; `ConfigError` for a pattern without a match."""
    known = [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise ConfigError(
                f"run.eight_bits: {pattern!r} matches no convolution or linear layer; the first "
                f"of {len(known)} are {', '.join(known[:3]) or 'none'}"
            )
    return [name for name in known if any(fnmatchcase(name, p) for p in patterns)]


def play_eight_bits(model: nn.Module, ranges: Ranges) -> None:
    """Let the layers of `ranges` compute as coarsely as they will in service."""
    modules: Mapping[str, nn.Module] = dict(model.named_modules())
    for name in ranges.rows:
        module = modules[name]
        assert isinstance(module, nn.Conv2d | nn.Linear)
        played = _Played(name, module, ranges)
        module.forward = played  # pyright: ignore[reportAttributeAccessIssue]


class _Played:
    """A layer's forward pass in simulated eight bits."""

    def __init__(self, name: str, module: nn.Conv2d | nn.Linear, ranges: Ranges) -> None:
        self._name, self._module, self._ranges = name, module, ranges

    def __call__(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        module, ranges = self._module, self._ranges
        if module.training and torch.is_grad_enabled():
            ranges.follow(self._name, x)
        x = ranges.rounded(self._name, x)
        weight = _rounded_weight(module.weight)
        if isinstance(module, nn.Linear):
            return F.linear(x, weight, module.bias)
        return module._conv_forward(x, weight, module.bias)


def _rounded_weight(weight: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    largest = weight.detach().flatten(1).abs().amax(dim=1).float()
    scale = (largest / 127).clamp(min=_LEAST_SCALE)
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight.float(), scale, zero, 0, -127, 127)
