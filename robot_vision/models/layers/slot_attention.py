"""Slot attention (Locatello et al., arXiv:2006.15055): slots compete for tokens.

The softmax runs over slots, so that each token goes to few of them. Slots start from learnt
vectors, not from samples: the same input gives the same slots on every run.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

# Added to weights before they are normalised, as in the reference implementation.
_EPSILON = 1e-8


class SlotAttention(nn.Module):
    """Returns slots, and logits whose softmax over slots assigns each token to a slot.

    Slots ignore tokens that are not `present`.
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
        self,
        tokens: Float[Tensor, "b n d"],
        start: Float[Tensor, "b slots e"],
        present: Bool[Tensor, "b n"] | None = None,
    ) -> tuple[Float[Tensor, "b slots e"], Float[Tensor, "b slots n"]]:
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

    def _logits(
        self, slots: Float[Tensor, "b slots e"], key: Float[Tensor, "b n d"]
    ) -> Float[Tensor, "b slots n"]:
        return self.query(self.norm_slots(slots)) @ key.transpose(1, 2) / key.shape[-1] ** 0.5


def place_grid(height: int, width: int, *, device: torch.device) -> Float[Tensor, "1 4 h w"]:
    """Distances of each cell's centre from the four edges, as fractions of the sides."""
    down = (torch.arange(height, device=device) + 0.5) / height
    right = (torch.arange(width, device=device) + 0.5) / width
    y, x = (axis[None] for axis in torch.meshgrid(down, right, indexing="ij"))
    return torch.cat([x, y, 1 - x, 1 - y])[None]
