"""Three levels with separate weights; each attends to itself and to the levels above it."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from robot_vision.core.parameters.params import param
from robot_vision.models.fusion.fusion import (
    FUSIONS,
    Carried,
    Fused,
    Fusion,
    ModalityShape,
    Seen,
    learnt,
    with_readout,
)
from robot_vision.models.layers.attention import AttentionOptions, Block, hiding_bias


class HierarchicalOptions(AttentionOptions):
    plans: int = param(4, "tokens of the lowest level; their mean is the summary", ge=1, le=64)


@FUSIONS.register("hierarchical")
class HierarchicalFusion(Fusion):
    """High: words and pictures; middle: the arm and tracks; low: plans.

    As pi0 (arXiv:2410.24164) separates a vision-language model, the state and an action expert:
    attention is causal between levels, so no level depends on one below it.
    """

    Options = HierarchicalOptions

    def __init__(
        self,
        options: HierarchicalOptions,
        *,
        width: int,
        modalities: Mapping[str, ModalityShape],
    ) -> None:
        super().__init__(options, width=width, modalities=modalities)
        high = [name for name in self.rows() if modalities[name].kind == "words"]
        self._levels = ((*high, *self.pictures()), tuple(n for n in self.rows() if n not in high))
        self.starts = nn.ParameterList(learnt(count, width) for count in (1, 1, options.plans))
        self.layers = nn.ModuleList(
            nn.ModuleList(Block(width, options.heads) for _ in self.starts)
            for _ in range(options.layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Seen, carried: Carried) -> Fused:
        del carried
        found = [seen.joined(names) for names in (*self._levels, ())]
        pairs = [with_readout(s, *rest) for s, rest in zip(self.starts, found, strict=True)]
        levels, marks = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        for blocks in self.layers:
            levels = self._layer(blocks, levels, marks)
        tokens, present = self.norm(torch.cat(levels[::-1], dim=1)), torch.cat(marks[::-1], dim=1)
        summary = tokens[:, : self.options.plans].mean(dim=1)
        return Fused(summary=summary, tokens=tokens, present=present)

    @staticmethod
    def _layer(
        blocks: nn.Module,
        levels: Sequence[Float[Tensor, "b _n d"]],
        marks: Sequence[Bool[Tensor, "b _n"]],
    ) -> list[Float[Tensor, "b _n d"]]:
        """Update levels from the highest down; each sees the updated levels above it."""
        assert isinstance(blocks, nn.ModuleList)
        found = list[Tensor]()
        for row, block in enumerate(blocks):
            above = torch.cat([*found, levels[row]], dim=1)
            bias = hiding_bias(torch.cat(list(marks[: row + 1]), dim=1))
            found.append(block(levels[row], above, bias))
        return found
