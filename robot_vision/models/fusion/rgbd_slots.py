"""Color and depth become slots with memory from moment to moment."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
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
)
from robot_vision.models.layers.attention import AttentionOptions
from robot_vision.models.layers.decoder import Decoder
from robot_vision.models.layers.slot_attention import SlotAttention


class SlotsOptions(AttentionOptions):
    slots: int = param(7, "slots, for objects and parts of the background", ge=2, le=64)
    iterations: int = param(3, "rounds of slot attention", ge=1, le=16)
    queries: int = param(4, "tokens that read slots, words and the arm", ge=1, le=64)


@FUSIONS.register("rgbd_slots")
class RgbdSlots(Fusion):
    """Slot attention (arXiv:2006.15055) with an LSTM per slot, as in `rgbd-temporal`.

    A slot starts from its state at the moment before (SAVi, arXiv:2111.12594). A decoder then
    reads words, the arm and the slots.
    """

    Options = SlotsOptions

    def __init__(
        self, options: SlotsOptions, *, width: int, modalities: Mapping[str, ModalityShape]
    ) -> None:
        super().__init__(options, width=width, modalities=modalities)
        self.start = nn.Parameter(torch.randn(options.slots, width))
        self.from_memory = nn.Linear(width, width, bias=False)
        self.attention = SlotAttention(width, iterations=options.iterations)
        self.memory = nn.LSTMCell(width, width)
        self.out = nn.Linear(width, width)
        self.queries = learnt(options.queries, width)
        self.read = Decoder(width, heads=options.heads, layers=options.layers)

    @property
    def carried_shapes(self) -> dict[str, tuple[int, ...]]:
        shape = (self.options.slots, self.width)
        return {"slots": shape, "cell": shape}

    def forward(self, seen: Seen, carried: Carried) -> Fused:
        slots, cell = self._remember(seen, carried)
        rows, rows_there = seen.joined(self.rows())
        always = torch.ones_like(slots[..., 0], dtype=torch.bool)
        known = torch.cat([self.out(slots), rows], dim=1)
        known_there = torch.cat([always, rows_there], dim=1)
        read = self.read(self.queries.expand(len(rows), -1, -1), known, known_there)
        return Fused(
            summary=read.mean(dim=1),
            tokens=torch.cat([read, known], dim=1),
            present=torch.cat([torch.ones_like(read[..., 0], dtype=torch.bool), known_there], 1),
            carried={"slots": slots, "cell": cell},
        )

    def _remember(
        self, seen: Seen, carried: Carried
    ) -> tuple[Float[Tensor, "b slots d"], Float[Tensor, "b slots d"]]:
        """Slots and LSTM cells after this moment."""
        tokens, present = seen.joined(self.pictures())
        start = self.start + self.from_memory(carried["slots"])
        found, _ = self.attention(tokens, start, present)
        before = (carried["slots"].flatten(0, 1), carried["cell"].flatten(0, 1))
        hidden, cell = self.memory(found.flatten(0, 1), before)
        return hidden.view_as(found), cell.view_as(found)
