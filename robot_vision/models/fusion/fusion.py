"""What every fusion does: what is seen, modality by modality, becomes one summary and tokens."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float32
from torch import Tensor, nn

from robot_vision.core.params import Params
from robot_vision.core.registry import Registry

PICTURES = ("color", "depth", "features")


@dataclass(frozen=True, kw_only=True)
class ModalityShape:
    """A modality as a fusion gets it: tokens in a grid (`rows` × `columns`) or in a row (1 × n).

    There is such a grid for each of `steps`, one after the other, the newest last.
    `map_channels` and `map_strides` (px) are of the maps that are there beside the tokens,
    finest first.
    """

    kind: str  # color, depth, state, words, features, tracks, pointed
    rows: int
    columns: int
    steps: int = 1
    map_channels: tuple[int, ...] = ()
    map_strides: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Pointed:
    """Which of the cells whose place is known is meant: logits, never of one not measured.

    Places are from the tool, along the axes of the base frame, m.
    """

    logits: Float32[Tensor, "b cells"]
    from_tool_m: Float32[Tensor, "b cells 3"]
    is_measured: Bool[Tensor, "b cells"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """One moment, by name of modality (`front.color`, `front.depth`, `state`, `words`, …).

    A modality that is not there (no depth, no words, a camera gone) has tokens of any value, and
    `present` says so: no output may depend on them. Tokens carry what they are and where (type,
    place, age). `maps` holds what encoders make of pictures, f32 [b,steps,c,h,w], finest first.
    """

    tokens: Mapping[str, Float32[Tensor, "b n d"]]
    present: Mapping[str, Bool[Tensor, "b n"]]
    maps: Mapping[str, tuple[Tensor, ...]] = field(default_factory=dict)
    pointed: Pointed | None = None

    def joined(self, names: Iterable[str] | None = None) -> tuple[Tensor, Tensor]:
        """Tokens of these modalities (of all) in a row, f32 [b,n,d], and which are present.

        What is not present is zero.
        """
        names = list(self.tokens if names is None else names)
        if not names:
            some = next(iter(self.tokens.values()))
            return some[:, :0], torch.zeros_like(some[:, :0, 0], dtype=torch.bool)
        present = torch.cat([self.present[name] for name in names], dim=1)
        tokens = torch.cat([self.tokens[name] for name in names], dim=1)
        return torch.where(present.unsqueeze(-1), tokens, 0.0), present

    def mean(self, name: str) -> Tensor:
        """Mean of the tokens of a modality that are present, f32 [b,d]; zero without any."""
        return mean_of_present(*self.joined([name]))


def with_readout(readout: Tensor, tokens: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens that are always there (f32 [1,r,d], learnt) before those of `Seen.joined`."""
    always = readout.expand(len(tokens), -1, -1)
    marks = torch.ones_like(always[..., 0], dtype=torch.bool)
    return torch.cat([always, tokens], dim=1), torch.cat([marks, present], dim=1)


def learnt(count: int, width: int) -> nn.Parameter:
    """Fresh tokens f32 [1,count,width] for `with_readout`."""
    return nn.Parameter(0.02 * torch.randn(1, count, width))


def mean_of_present(tokens: Tensor, present: Tensor) -> Tensor:
    """Mean over tokens f32 [b,n,d] of those that are present, [b,d]; zero without any."""
    weights = present.unsqueeze(-1).to(tokens.dtype)
    return (tokens * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fused:
    """What a head acts on. `carried` is what the fusion is given back with the next moment.

    `pointed` is there for a loss, of policies that point.
    """

    summary: Float32[Tensor, "b d"]
    tokens: Float32[Tensor, "b m d"]
    present: Bool[Tensor, "b m"]
    carried: Mapping[str, Tensor] = field(default_factory=dict)
    pointed: Pointed | None = None


class Fusion(nn.Module, ABC):
    """A subclass has `Options`, is built from them, and registers itself in `FUSIONS`.

    `carried_shapes` (without the batch) are of f32 tensors; zeros are no memory.
    """

    Options: ClassVar[type[Params]] = Params

    def __init__(
        self, options: Any, *, width: int, modalities: Mapping[str, ModalityShape]
    ) -> None:
        super().__init__()
        self.options, self.width, self.modalities = options, width, dict(modalities)

    @property
    def carried_shapes(self) -> dict[str, tuple[int, ...]]:
        return {}

    def pictures(self) -> tuple[str, ...]:
        """Modalities that have a place in a picture: color, depth, perception's features."""
        return tuple(n for n, m in self.modalities.items() if m.kind in PICTURES)

    def rows(self) -> tuple[str, ...]:
        """The others: state, words, tracks."""
        return tuple(n for n, m in self.modalities.items() if m.kind not in PICTURES)

    def cameras(self) -> dict[str, list[str]]:
        """`pictures` by camera, the first of which has perception's grid as well."""
        cameras = dict[str, list[str]]()
        for name in self.pictures():
            camera = name.rpartition(".")[0] or next(iter(cameras), "")
            cameras.setdefault(camera, []).append(name)
        return cameras

    def grid(self, seen: Seen, name: str) -> Tensor:
        """Tokens of a picture as maps f32 [b,steps,d,rows,columns], zero where not present."""
        shape = self.modalities[name]
        size = (shape.steps, shape.rows, shape.columns)
        return seen.joined([name])[0].unflatten(1, size).permute(0, 1, 4, 2, 3)

    def steps_present(self, seen: Seen, name: str) -> Tensor:
        """In which steps a picture is there, bool [b,steps]."""
        return seen.present[name].unflatten(1, (self.modalities[name].steps, -1)).any(dim=2)

    @abstractmethod
    def forward(self, seen: Seen, carried: Mapping[str, Tensor]) -> Fused:
        """Fuse one moment; the same result on every run in evaluation."""


FUSIONS: Registry[type[Fusion]] = Registry("fusion", package="robot_vision.models.fusion")
