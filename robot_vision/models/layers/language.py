"""Words become encodings: a small encoder over a closed vocabulary."""

import torch
from torch import Tensor, nn

from robot_vision.models.layers.attention import hiding_bias, self_block


class LanguageEncoder(nn.Module):
    """`forward(tokens i64 [B,L])` → encodings f32 [B,L,D]; token 0 is padding."""

    def __init__(
        self, *, words: int, max_words: int, width: int, heads: int, layers: int = 2
    ) -> None:
        super().__init__()
        self.word = nn.Embedding(words + 1, width)
        self.place = nn.Parameter(0.02 * torch.randn(max_words, width))
        self.blocks = nn.ModuleList(self_block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        bias = hiding_bias(tokens > 0)
        x = self.word(tokens) + self.place[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, None, bias)
        return self.norm(x)


def mean_of_present(tokens: Tensor, present: Tensor) -> Tensor:
    """Mean [B,D] of those tokens f32 [B,L,D] that are present, bool [B,L]; zeros for none."""
    weights = present.unsqueeze(-1).to(tokens.dtype)
    return (tokens * weights).sum(1) / weights.sum(1).clamp(min=1)
