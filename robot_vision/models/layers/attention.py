"""Attention and what is made of it: blocks, two-way layers, biases that hide what is absent."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.params import Params, param

# Added to the logits of what must not be attended to or chosen; finite in half precision too.
NEVER = -1e4


class AttentionOptions(Params):
    """Of parts that are made of attention."""

    layers: int = param(2, "layers of attention", ge=1, le=64)
    heads: int = param(4, "heads of the attention; they divide the width", ge=1, le=64)


def hiding_bias(present: Tensor) -> Tensor:
    """Logits' bias that hides what is not `present` (bool [B,K]): f32 [B,1,1,K]."""
    return torch.where(present, 0.0, NEVER)[:, None, None]


class Attention(nn.Module):
    """Multi-head attention from `x` to `y`; `bias` is added to the logits ([B,1,Q,K] or None)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"width {width} is no multiple of {heads} heads of attention")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, y: Tensor, bias: Tensor | None) -> Tensor:
        query, key, value = self._split(self.query(x)), self._split(self.key(y)), self.value(y)
        found = F.scaled_dot_product_attention(query, key, self._split(value), attn_mask=bias)
        return self.out(found.transpose(1, 2).flatten(2))

    def weights(self, x: Tensor, y: Tensor, bias: Tensor | None) -> Tensor:
        """Mean of the heads' weights, [B,Q,K]."""
        query, key = self._split(self.query(x)), self._split(self.key(y))
        logits = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
        return (logits if bias is None else logits + bias).softmax(dim=-1).mean(dim=1)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Block(nn.Module):
    """Pre-norm attention to `y` (or to itself) and a feed-forward part, both residual."""

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

    def forward(self, x: Tensor, y: Tensor | None, bias: Tensor | None) -> Tensor:
        normed = self.norm_x(x)
        x = x + self.attention(normed, normed if y is None else self.norm_y(y), bias)
        return x + self.feed(x)


def self_block(width: int, heads: int) -> Block:
    """A block of tokens that attend to themselves: nothing else is normed."""
    block = Block(width, heads)
    block.norm_y.requires_grad_(False)
    return block


class TwoWayLayer(nn.Module):
    """Scene tokens among themselves and to words and view; words and view to the scene."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.scene_to_all = Block(width, heads)
        self.scene_to_visual = Block(width, heads)
        self.text_to_seen = Block(width, heads)

    def forward(
        self,
        text: Tensor,
        scene: Tensor,
        visual: Tensor,
        *,
        text_bias: Tensor,
        scene_bias: Tensor,
        visual_bias: Tensor,
    ) -> tuple[Tensor, Tensor]:
        seen = torch.cat([scene, visual], dim=1)
        seen_bias = torch.cat([scene_bias, visual_bias], dim=-1)
        text = self.text_to_seen(text, seen, seen_bias)
        known = torch.cat([scene, text], dim=1)
        scene = self.scene_to_all(scene, known, torch.cat([scene_bias, text_bias], dim=-1))
        return text, self.scene_to_visual(scene, visual, visual_bias)


def perceptron(width_in: int, width: int, width_out: int) -> nn.Sequential:
    """Two linear layers with GELU between them."""
    return nn.Sequential(nn.Linear(width_in, width), nn.GELU(), nn.Linear(width, width_out))
