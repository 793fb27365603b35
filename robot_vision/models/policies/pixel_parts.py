"""Tokens of each modality: pictures, depth, state, words, perception's features and tracks.

Every token encodes its content, its modality, its position and, where it has one, its age;
absent tokens are zero. A fusion therefore needs no embeddings of its own.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from robot_vision.models.fusion.fusion import ModalityShape, Seen
from robot_vision.models.layers.attention import perceptron
from robot_vision.models.layers.resample import resample
from robot_vision.models.policies.pixel_rays import Rays
from robot_vision.models.policies.pixel_spec import PixelPolicySpec

_SMALL = 0.02
# Range of ages that the sines resolve, from one picture to a long gap.
_SHORTEST_S, _LONGEST_S, _WAVES = 0.05, 20.0, 8
_FURTHEST = 6.0  # distance from the mean, in scales, at which numbers are clamped


def given(
    values: Shaped[Tensor, "b n *rest"], seen: Bool[Tensor, "b n"]
) -> Float[Tensor, "b n *rest"]:
    """Values as floats where they are `seen`, zeros elsewhere, even in place of NaN."""
    return torch.where(seen.reshape(*seen.shape, *[1] * (values.dim() - 2)), values.float(), 0.0)


class Age(nn.Module):
    """Embeds an age by sines and cosines (arXiv:1706.03762)."""

    frequency: Float[Tensor, " waves"]

    def __init__(self, width: int) -> None:
        super().__init__()
        periods_s = torch.logspace(math.log10(_SHORTEST_S), math.log10(_LONGEST_S), _WAVES)
        self.register_buffer("frequency", 2 * math.pi / periods_s, persistent=False)
        self.out = nn.Linear(2 * _WAVES, width)

    def forward(self, age_s: Float[Tensor, "b n"]) -> Float[Tensor, "b n d"]:
        angle = age_s.clamp(0.0, _LONGEST_S).unsqueeze(-1) * self.frequency
        return self.out(torch.cat([angle.sin(), angle.cos()], dim=-1))


class Normal(nn.Module):
    """Subtracts the mean and divides by the scale; both are set from the data."""

    mean: Float[Tensor, " numbers"]
    scale: Float[Tensor, " numbers"]

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def forward(self, values: Float[Tensor, "b n numbers"]) -> Float[Tensor, "b n numbers"]:
        return ((values - self.mean) / self.scale).clamp(-_FURTHEST, _FURTHEST)


class GridTokens(nn.Module):
    """Resamples maps of any size to one grid, concatenates them, and adds learnt positions."""

    def __init__(self, spec: PixelPolicySpec, channels: Sequence[int]) -> None:
        super().__init__()
        self.rows, self.columns = spec.grid_rows, spec.grid_columns
        self.norm = nn.LayerNorm(sum(channels))
        self.out = nn.Linear(sum(channels), spec.width)
        self.place = nn.Parameter(_SMALL * torch.randn(self.rows * self.columns, spec.width))

    def forward(self, *maps: Float[Tensor, "b n _c _h _w"]) -> Float[Tensor, "b n cells d"]:
        grids = [resample(each.float(), self.rows, self.columns) for each in maps]
        cells = torch.cat(grids, dim=2).flatten(3).transpose(2, 3)
        return self.out(self.norm(cells)) + self.place


class PictureTokens(nn.Module):
    """Tokens from maps of a camera's color or depth, or from perception's grid."""

    def __init__(
        self,
        spec: PixelPolicySpec,
        kind: str,
        channels: Sequence[int],
        strides: Sequence[int],
        rays: Rays | None = None,
    ) -> None:
        super().__init__()
        self.grid = GridTokens(spec, channels)
        self.rays = rays
        self.kind = nn.Parameter(_SMALL * torch.randn(spec.width))
        self.shape = ModalityShape(
            kind=kind,
            rows=spec.grid_rows,
            columns=spec.grid_columns,
            steps=1 if kind == "features" else spec.observation.steps,
            map_channels=tuple(channels),
            map_strides=tuple(strides),
        )

    def forward(
        self,
        maps: Sequence[Float[Tensor, "b n _c _h _w"]],
        age: Float[Tensor, "b n d"] | None,
        inputs: Mapping[str, Tensor],
        points: Float[Tensor, "b n cells d"] | None = None,
    ) -> Float[Tensor, "b tokens d"]:
        """`points` embed the positions of the cells, where they are measured."""
        tokens = self.grid(*maps) + self.kind
        if self.rays is not None:
            tokens = tokens + self.rays(inputs.get("state"), inputs.get("state_seen"))
        if points is not None:
            tokens = tokens + points
        return (tokens if age is None else tokens + age.unsqueeze(2)).flatten(1, 2)


class PointTokens(nn.Module):
    """Tokens from a camera's depth, where it is shown only as the positions of its cells."""

    def __init__(self, spec: PixelPolicySpec) -> None:
        super().__init__()
        self.kind = nn.Parameter(_SMALL * torch.randn(spec.width))
        self.shape = ModalityShape(
            kind="depth",
            rows=spec.grid_rows,
            columns=spec.grid_columns,
            steps=spec.observation.steps,
        )

    def forward(
        self, points: Float[Tensor, "b n cells d"], age: Float[Tensor, "b n d"] | None
    ) -> Float[Tensor, "b n*cells d"]:
        """`points` embed the positions of the cells."""
        tokens = points + self.kind
        return (tokens if age is None else tokens + age.unsqueeze(2)).flatten(1, 2)


class RowTokens(nn.Module):
    """One token per row of numbers: arm states, tracks, words."""

    def __init__(self, kind: str, count: int, numbers: int, width: int, *, steps: int = 1) -> None:
        super().__init__()
        self.normal = Normal(numbers) if kind != "words" else nn.Identity()
        self.out = perceptron(numbers, 2 * width, width)
        self.kind = nn.Parameter(_SMALL * torch.randn(width))
        self.shape = ModalityShape(kind=kind, rows=1, columns=count, steps=steps)

    def forward(self, values: Float[Tensor, "b n _numbers"]) -> Float[Tensor, "b n d"]:
        return self.out(self.normal(values)) + self.kind


class Gating(nn.Module):
    """Weights each modality, channel by channel, given all modalities.

    Gated multimodal units (arXiv:1702.01992), for any number of modalities; gates start at 1 and
    stay between 0 and 2.
    """

    def __init__(self, names: Sequence[str], width: int) -> None:
        super().__init__()
        self.names = tuple(names)
        self.gates = nn.ModuleList(_open_gate(len(names) * (width + 1), width) for _ in names)

    def forward(self, seen: Seen) -> dict[str, Float[Tensor, "b _n d"]]:
        """The weighted tokens."""
        means = [seen.mean(name) for name in self.names]
        marks = [seen.present[name].any(dim=1, keepdim=True).float() for name in self.names]
        all_of = torch.cat([*means, *marks], dim=1)
        return {
            name: seen.tokens[name] * 2 * gate(all_of).sigmoid()[:, None]
            for name, gate in zip(self.names, self.gates, strict=True)
        }


def _open_gate(width_in: int, width: int) -> nn.Linear:
    gate = nn.Linear(width_in, width)
    nn.init.zeros_(gate.weight)
    nn.init.zeros_(gate.bias)
    return gate
