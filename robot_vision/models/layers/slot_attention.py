"""Slot attention (Locatello et al., arXiv:2006.15055): slots compete for tokens.

The softmax runs over slots, so that each token goes to few of them. Slots begin at learnt
vectors and not at samples: the same input gives the same slots on every run.
"""

import torch
from torch import Tensor, nn

# Added to weights before they are normalised, as the reference has it.
_EPSILON = 1e-8


class SlotAttention(nn.Module):
    """`forward(tokens [b,n,width], start [b,k,width])` → slots [b,k,width], logits [b,k,n].

    The softmax of the logits over slots says to which slot a token belongs. No slot takes
    tokens that are not `present` (bool [b,n]).
    """

    def __init__(self, width: int, *, iterations: int) -> None:
        super().__init__()
        self.iterations = iterations
        self.norm_tokens, self.norm_slots = nn.LayerNorm(width), nn.LayerNorm(width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.query = nn.Linear(width, width, bias=False)
        self.update = nn.GRUCell(width, width)
        self.feed = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.ReLU(),
            nn.Linear(2 * width, width),
        )

    def forward(
        self, tokens: Tensor, start: Tensor, present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        tokens = self.norm_tokens(tokens)
        key, value = self.key(tokens), self.value(tokens)
        slots = start
        for _ in range(self.iterations):
            weights = self._logits(slots, key).softmax(dim=1) + _EPSILON
            if present is not None:
                weights = weights * present[:, None]
            found = (weights / weights.sum(dim=2, keepdim=True).clamp(min=_EPSILON)) @ value
            slots = self.update(found.flatten(0, 1), slots.flatten(0, 1)).view_as(start)
            slots = slots + self.feed(slots)
        return slots, self._logits(slots, key)

    def _logits(self, slots: Tensor, key: Tensor) -> Tensor:
        return self.query(self.norm_slots(slots)) @ key.transpose(1, 2) / key.shape[-1] ** 0.5


def place_grid(height: int, width: int, *, device: torch.device) -> Tensor:
    """Distances of each cell's centre from the four edges, as parts of the side: [1,4,h,w]."""
    down = (torch.arange(height, device=device) + 0.5) / height
    right = (torch.arange(width, device=device) + 0.5) / width
    y, x = (axis[None] for axis in torch.meshgrid(down, right, indexing="ij"))
    return torch.cat([x, y, 1 - x, 1 - y])[None]
