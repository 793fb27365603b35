"""What every fusion does: what is seen, modality by modality, becomes one summary and tokens."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from jaxtyping import Bool, Float32
from torch import Tensor, nn

from robot_vision.core.params import Params
from robot_vision.core.registry import Registry


@dataclass(frozen=True, kw_only=True)
class ModalityShape:
    """A modality as a fusion gets it: tokens in a grid (`rows` × `columns`) or in a row (1 × n).

    `map_channels`: channels of the maps that are there beside the tokens, finest first.
    """

    kind: str  # color, depth, state, words, features, tracks
    rows: int
    columns: int
    map_channels: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """One moment, by name of modality (`front.color`, `front.depth`, `state`, `words`, …).

    A modality that is not there (no depth, no words, a camera gone) has tokens of any value, and
    `present` says so: no output may depend on them. `maps` holds what encoders make of pictures,
    finest first.
    """

    tokens: Mapping[str, Float32[Tensor, "b n d"]]
    present: Mapping[str, Bool[Tensor, "b n"]]
    maps: Mapping[str, tuple[Tensor, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fused:
    """What a head acts on. `carried` is what the fusion is given back with the next moment."""

    summary: Float32[Tensor, "b d"]
    tokens: Float32[Tensor, "b m d"]
    present: Bool[Tensor, "b m"]
    carried: Mapping[str, Tensor] = field(default_factory=dict)


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

    @abstractmethod
    def forward(self, seen: Seen, carried: Mapping[str, Tensor]) -> Fused:
        """Fuse one moment; the same result on every run in evaluation."""


FUSIONS: Registry[type[Fusion]] = Registry("fusion", package="robot_vision.models.fusion")
