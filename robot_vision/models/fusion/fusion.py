"""The interface of fusions: tokens of each modality become a summary and fused tokens."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params
from robot_vision.core.registry import Registry
from robot_vision.models.layers.language import mean_of_present

PICTURES = ("color", "depth", "features")
# Memory from moment to moment, by name.
Carried = Mapping[str, Float[Tensor, "b _rows _numbers"]]


@dataclass(frozen=True, kw_only=True)
class ModalityShape:
    """Layout of a modality: tokens in a grid (`rows` × `columns`) or in a row (1 × n).

    There is one such grid per step, the newest last. `map_channels` and `map_strides` (px)
    describe the maps that come with the tokens, finest first.
    """

    kind: str  # color, depth, state, words, features, tracks, pointed
    rows: int
    columns: int
    steps: int = 1
    map_channels: tuple[int, ...] = ()
    map_strides: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Pointed:
    """Which place the instruction refers to: logits over places; unmeasured ones are ruled out.

    Positions are relative to the tool, along the axes of the base frame, m.
    """

    logits: Float32[Tensor, "b cells"]
    from_tool_m: Float32[Tensor, "b cells 3"]
    is_measured: Bool[Tensor, "b cells"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """One moment, by name of modality (`front.color`, `front.depth`, `state`, `words`, …).

    Tokens of an absent modality (no depth, no words, a camera lost) have arbitrary values and are
    not `present`: no output may depend on them. Tokens encode type, position and age. `maps` holds
    the encoders' maps of pictures, finest first.
    """

    tokens: Mapping[str, Float32[Tensor, "b n d"]]
    present: Mapping[str, Bool[Tensor, "b n"]]
    maps: Mapping[str, tuple[Float[Tensor, "b _steps _c _h _w"], ...]] = field(
        default_factory=dict
    )
    pointed: Pointed | None = None

    def joined(
        self, names: Iterable[str] | None = None
    ) -> tuple[Float[Tensor, "b n d"], Bool[Tensor, "b n"]]:
        """Tokens of these modalities (default: all) in a row, and which are present.

        Absent tokens are zero.
        """
        names = list(self.tokens if names is None else names)
        if not names:
            some = next(iter(self.tokens.values()))
            return some[:, :0], torch.zeros_like(some[:, :0, 0], dtype=torch.bool)
        present = torch.cat([self.present[name] for name in names], dim=1)
        tokens = torch.cat([self.tokens[name] for name in names], dim=1)
        return torch.where(present.unsqueeze(-1), tokens, 0.0), present

    def mean(self, name: str) -> Float[Tensor, "b d"]:
        """Mean of the present tokens of a modality; zero where none is present."""
        return mean_of_present(*self.joined([name]))


def with_readout(
    readout: Float[Tensor, "1 r d"], tokens: Float[Tensor, "b n d"], present: Bool[Tensor, "b n"]
) -> tuple[Float[Tensor, "b r+n d"], Bool[Tensor, "b r+n"]]:
    """Prepend learnt tokens, which are always present, to those of `Seen.joined`."""
    always = readout.expand(len(tokens), -1, -1)
    marks = torch.ones_like(always[..., 0], dtype=torch.bool)
    return torch.cat([always, tokens], dim=1), torch.cat([marks, present], dim=1)


def learnt(count: int, width: int) -> nn.Parameter:
    """New learnt tokens [1,count,width] for `with_readout`."""
    return nn.Parameter(0.02 * torch.randn(1, count, width))


@dataclass(frozen=True, kw_only=True, eq=False)
class Fused:
    """Input of a head. `carried` is the memory that the fusion gets back at the next moment.

    `pointed` is set by policies that point, for their loss.
    """

    summary: Float32[Tensor, "b d"]
    tokens: Float32[Tensor, "b m d"]
    present: Bool[Tensor, "b m"]
    carried: Carried = field(default_factory=dict)
    pointed: Pointed | None = None


class Fusion(nn.Module, ABC):
    """A subclass has `Options`, is built from them, and registers itself in `FUSIONS`.

    `carried_shapes` (without the batch axis) are of f32 tensors; zeros mean no memory.
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
        """Modalities laid out as a picture: color, depth, perception's features."""
        return tuple(n for n, m in self.modalities.items() if m.kind in PICTURES)

    def rows(self) -> tuple[str, ...]:
        """The other modalities: state, words, tracks."""
        return tuple(n for n, m in self.modalities.items() if m.kind not in PICTURES)

    def cameras(self) -> dict[str, list[str]]:
        """`pictures` by camera; the first camera also has perception's grid."""
        cameras = dict[str, list[str]]()
        for name in self.pictures():
            camera = name.rpartition(".")[0] or next(iter(cameras), "")
            cameras.setdefault(camera, []).append(name)
        return cameras

    def grid(self, seen: Seen, name: str) -> Float[Tensor, "b steps d rows columns"]:
        """Tokens of a picture as maps, zero where not present."""
        shape = self.modalities[name]
        size = (shape.steps, shape.rows, shape.columns)
        return seen.joined([name])[0].unflatten(1, size).permute(0, 1, 4, 2, 3)

    def steps_present(self, seen: Seen, name: str) -> Bool[Tensor, "b steps"]:
        """Steps in which a picture is present."""
        return seen.present[name].unflatten(1, (self.modalities[name].steps, -1)).any(dim=2)

    @abstractmethod
    def forward(self, seen: Seen, carried: Carried) -> Fused:
        """Fuse one moment; deterministic in evaluation mode."""


FUSIONS: Registry[type[Fusion]] = Registry("fusion", package="robot_vision.models.fusion")
