"""A small text encoder over a closed vocabulary."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from robot_vision.models.layers.attention import hiding_bias, self_block


class LanguageEncoder(nn.Module):
    """Tokens of words → one encoding per token; token 0 is padding."""

    def __init__(
        self, *, words: int, max_words: int, width: int, heads: int, layers: int = 2
    ) -> None:
        super().__init__()
        self.word = nn.Embedding(words + 1, width)
        self.place = nn.Parameter(0.02 * torch.randn(max_words, width))
        self.blocks = nn.ModuleList(self_block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Int[Tensor, "b l"]) -> Float[Tensor, "b l d"]:
        bias = hiding_bias(tokens > 0)
        x = self.word(tokens) + self.place[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, None, bias)
        return self.norm(x)


def mean_of_present(
    tokens: Float[Tensor, "b l d"], present: Bool[Tensor, "b l"]
) -> Float[Tensor, "b d"]:
    """Mean of the tokens that are present; zeros where none is."""
    weights = present.unsqueeze(-1).to(tokens.dtype)
    return (tokens * weights).sum(1) / weights.sum(1).clamp(min=1)
