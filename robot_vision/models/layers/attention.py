"""Attention and what is built from it: blocks, two-way layers, biases that hide absent tokens."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params, param

# Added to logits that must never be attended to or chosen; finite in half precision too.
NEVER = -1e4


class AttentionOptions(Params):
    """Options of modules built from attention."""

    layers: int = param(2, "attention layers", ge=1, le=64)
    heads: int = param(4, "attention heads; they divide the width", ge=1, le=64)


def hiding_bias(present: Bool[Tensor, "b k"]) -> Float[Tensor, "b 1 1 k"]:
    """Bias of the attention logits that hides tokens that are not `present`."""
    return torch.where(present, 0.0, NEVER)[:, None, None]


class Attention(nn.Module):
    """Multi-head attention from `x` to `y`; `bias` is added to the logits."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"width {width} is not a multiple of {heads} attention heads")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "b q d"],
        y: Float[Tensor, "b k _e"],
        bias: Float[Tensor, "b 1 #q k"] | None,
    ) -> Float[Tensor, "b q d"]:
        query, key, value = self._split(self.query(x)), self._split(self.key(y)), self.value(y)
        found = F.scaled_dot_product_attention(query, key, self._split(value), attn_mask=bias)
        return self.out(found.transpose(1, 2).flatten(2))

    def weights(
        self,
        x: Float[Tensor, "b q d"],
        y: Float[Tensor, "b k _e"],
        bias: Float[Tensor, "b 1 #q k"] | None,
    ) -> Float[Tensor, "b q k"]:
        """Attention weights, averaged over the heads."""
        query, key = self._split(self.query(x)), self._split(self.key(y))
        logits = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
        return (logits if bias is None else logits + bias).softmax(dim=-1).mean(dim=1)

    def _split(self, x: Float[Tensor, "b n _d"]) -> Float[Tensor, "b heads n _d"]:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Block(nn.Module):
    """Pre-norm attention to `y` (self-attention without one), then an MLP; both residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_x, self.norm_y = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )

    def forward(
        self,
        x: Float[Tensor, "b q d"],
        y: Float[Tensor, "b k _e"] | None,
        bias: Float[Tensor, "b 1 #q k"] | None,
    ) -> Float[Tensor, "b q d"]:
        normed = self.norm_x(x)
        x = x + self.attention(normed, normed if y is None else self.norm_y(y), bias)
        return x + self.feed(x)


def self_block(width: int, heads: int) -> Block:
    """A self-attention block; the norm of `y` is unused and stays frozen."""
    block = Block(width, heads)
    block.norm_y.requires_grad_(False)
    return block


class TwoWayLayer(nn.Module):
    """Text attends to scene and view; the scene to itself, to the text, then to the view."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.scene_to_all = Block(width, heads)
        self.scene_to_visual = Block(width, heads)
        self.text_to_seen = Block(width, heads)

    def forward(
        self,
        text: Float[Tensor, "b l d"],
        scene: Float[Tensor, "b n d"],
        visual: Float[Tensor, "b cells _e"],
        *,
        text_bias: Float[Tensor, "b 1 1 l"],
        scene_bias: Float[Tensor, "b 1 1 n"],
        visual_bias: Float[Tensor, "b 1 1 cells"],
    ) -> tuple[Float[Tensor, "b l d"], Float[Tensor, "b n d"]]:
        seen = torch.cat([scene, visual], dim=1)
        seen_bias = torch.cat([scene_bias, visual_bias], dim=-1)
        text = self.text_to_seen(text, seen, seen_bias)
        known = torch.cat([scene, text], dim=1)
        scene = self.scene_to_all(scene, known, torch.cat([scene_bias, text_bias], dim=-1))
        return text, self.scene_to_visual(scene, visual, visual_bias)


def perceptron(width_in: int, width: int, width_out: int) -> nn.Sequential:
    """Two linear layers with a GELU between them."""
    return nn.Sequential(nn.Linear(width_in, width), nn.GELU(), nn.Linear(width, width_out))
