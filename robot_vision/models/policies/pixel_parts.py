"""Tokens of each modality: pictures, depth, state, words, perception's features and tracks.

Every token carries what it shows, its modality (type), its place and, where it has one, its age;
what is absent is zero. So a fusion needs no embeddings of its own.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from robot_vision.models.fusion.fusion import ModalityShape, Seen
from robot_vision.models.layers.attention import perceptron
from robot_vision.models.layers.resample import resample
from robot_vision.models.policies.pixel_rays import Rays
from robot_vision.models.policies.pixel_spec import PixelPolicySpec

_SMALL = 0.02
# Ages that the sines distinguish, from one picture's to a long gap's.
_SHORTEST_S, _LONGEST_S, _WAVES = 0.05, 20.0, 8
_FURTHEST = 6.0  # scales from the mean, at which numbers are cut off


def given(values: Tensor, seen: Tensor) -> Tensor:
    """Values f32 [b,n,...] where seen (bool [b,n]), else zeros, whatever stands there."""
    return torch.where(seen.reshape(*seen.shape, *[1] * (values.dim() - 2)), values.float(), 0.0)


class Age(nn.Module):
    """`forward(age_s f32 [b,n])` → f32 [b,n,width]: sines and cosines (arXiv:1706.03762)."""

    frequency: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        periods_s = torch.logspace(math.log10(_SHORTEST_S), math.log10(_LONGEST_S), _WAVES)
        self.register_buffer("frequency", 2 * math.pi / periods_s, persistent=False)
        self.out = nn.Linear(2 * _WAVES, width)

    def forward(self, age_s: Tensor) -> Tensor:
        angle = age_s.clamp(0.0, _LONGEST_S).unsqueeze(-1) * self.frequency
        return self.out(torch.cat([angle.sin(), angle.cos()], dim=-1))


class Normal(nn.Module):
    """Numbers less their mean, by their scale; both are set from the data."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def forward(self, values: Tensor) -> Tensor:
        return ((values - self.mean) / self.scale).clamp(-_FURTHEST, _FURTHEST)


class GridTokens(nn.Module):
    """`forward(maps f32 [b,n,c,h,w]...)` → f32 [b,n,rows·columns,width].

    Maps of all sizes are resampled to the grid, and joined; `place` is learnt.
    """

    def __init__(self, spec: PixelPolicySpec, channels: Sequence[int]) -> None:
        super().__init__()
        self.rows, self.columns = spec.grid_rows, spec.grid_columns
        self.norm = nn.LayerNorm(sum(channels))
        self.out = nn.Linear(sum(channels), spec.width)
        self.place = nn.Parameter(_SMALL * torch.randn(self.rows * self.columns, spec.width))

    def forward(self, *maps: Tensor) -> Tensor:
        grids = [resample(each.float(), self.rows, self.columns) for each in maps]
        cells = torch.cat(grids, dim=2).flatten(3).transpose(2, 3)
        return self.out(self.norm(cells)) + self.place


class PictureTokens(nn.Module):
    """Of maps of a camera's color or depth, or of perception's grid."""

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
        maps: Sequence[Tensor],
        age: Tensor | None,
        inputs: Mapping[str, Tensor],
        points: Tensor | None = None,
    ) -> Tensor:
        """`points` f32 [b,n,cells,width]: the places of the cells, where they are measured."""
        tokens = self.grid(*maps) + self.kind
        if self.rays is not None:
            tokens = tokens + self.rays(inputs.get("state"), inputs.get("state_seen"))
        if points is not None:
            tokens = tokens + points
        return (tokens if age is None else tokens + age.unsqueeze(2)).flatten(1, 2)


class PointTokens(nn.Module):
    """Of a camera's depth, where its cells' places are all that is shown of it."""

    def __init__(self, spec: PixelPolicySpec) -> None:
        super().__init__()
        self.kind = nn.Parameter(_SMALL * torch.randn(spec.width))
        self.shape = ModalityShape(
            kind="depth",
            rows=spec.grid_rows,
            columns=spec.grid_columns,
            steps=spec.observation.steps,
        )

    def forward(self, points: Tensor, age: Tensor | None) -> Tensor:
        """`points` f32 [b,n,cells,width], the places of the cells."""
        tokens = points + self.kind
        return (tokens if age is None else tokens + age.unsqueeze(2)).flatten(1, 2)


class RowTokens(nn.Module):
    """A token for each row of numbers f32 [b,n,numbers]: the arm's states, tracks, words."""

    def __init__(self, kind: str, count: int, numbers: int, width: int, *, steps: int = 1) -> None:
        super().__init__()
        self.normal = Normal(numbers) if kind != "words" else nn.Identity()
        self.out = perceptron(numbers, 2 * width, width)
        self.kind = nn.Parameter(_SMALL * torch.randn(width))
        self.shape = ModalityShape(kind=kind, rows=1, columns=count, steps=steps)

    def forward(self, values: Tensor) -> Tensor:
        return self.out(self.normal(values)) + self.kind


class Gating(nn.Module):
    """Each modality is weighed, channel by channel, by what all of them show.

    Gated multimodal units (arXiv:1702.01992), for any number of modalities: a gate of 1 at the
    start, between 0 and 2.
    """

    def __init__(self, names: Sequence[str], width: int) -> None:
        super().__init__()
        self.names = tuple(names)
        self.gates = nn.ModuleList(_open_gate(len(names) * (width + 1), width) for _ in names)

    def forward(self, seen: Seen) -> dict[str, Tensor]:
        """The tokens, weighed."""
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
