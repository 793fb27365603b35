"""Parts of a vision transformer: its spec, positions of patches, attention, a block."""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param

_LONGEST_WAVE = 10000.0

Cells = Annotated[int, Field(ge=1, le=1000)]


class ViTSpec(Params):
    patch_px: Literal[8, 14, 16, 32] = param(16, "side of a patch", unit="px")
    width: int = param(192, "width of a token", ge=4, le=4096, multiple_of=4)
    depth: int = param(12, "blocks", ge=1, le=100)
    heads: int = param(3, "attention heads", ge=1, le=64)
    feed_factor: int = param(4, "width of the feed-forward part, in token widths", ge=1, le=16)
    class_token: bool = param(True, "add a class token for the whole picture")
    pooling: Literal["class", "mean"] = param(
        "class", "`pooled` is the class token, or the mean of the patches"
    )
    registers: int = param(0, "register tokens, which have no position (arXiv:2309.16588)", ge=0)
    positions: Literal["learned", "sinusoidal"] = param("learned", "encoding of patch positions")
    grid: tuple[Cells, Cells] = param(
        (14, 14), "rows and columns of the learned positions; interpolated to other sizes"
    )
    antialias: bool = param(
        False, "antialias when positions are downsampled, as in timm and DINOv2 with registers"
    )
    class_position: bool = param(True, "the class token has a learned position too")
    layer_scale: bool = param(False, "learned scale per channel of each residual branch")
    norm_epsilon: float = param(
        1e-6, "epsilon of layer norms; 1e-12 in transformers' ViT", gt=0, le=0.1
    )

    @model_validator(mode="after")
    def _fits(self) -> "ViTSpec":
        if self.width % self.heads:
            raise ValueError(f"width = {self.width}: expected a multiple of heads = {self.heads}")
        if self.pooling == "class" and not self.class_token:
            raise ValueError("pooling = 'class' needs class_token = true; or take 'mean'")
        return self


def sinusoidal_positions(
    rows: int, columns: int, width: int
) -> Float[Tensor, "1 {rows}*{columns} {width}"]:
    """Fixed positions of patches, row by row.

    Half of the channels are sines and cosines of the column, half of the row, as in MAE
    (arXiv:2111.06377).
    """
    waves = _LONGEST_WAVE ** -(torch.arange(width // 4) / (width // 4))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angles = [at.reshape(-1, 1) * waves for at in (column, row)]
    return torch.cat([f(angle) for angle in angles for f in (torch.sin, torch.cos)], dim=1)[None]


def interpolated(
    positions: Float[Tensor, "1 _cells d"],
    grid: tuple[int, int],
    wanted: tuple[int, int],
    *,
    antialias: bool,
) -> Float[Tensor, "1 cells d"]:
    """Interpolate learned positions of one grid to another (bicubic)."""
    if grid == wanted:
        return positions
    laid_out = positions.unflatten(1, grid).permute(0, 3, 1, 2)
    resized = F.interpolate(
        laid_out.float(), size=wanted, mode="bicubic", align_corners=False, antialias=antialias
    )
    return resized.to(positions.dtype).flatten(2).transpose(1, 2)


class SelfAttention(nn.Module):
    """Multi-head self-attention, by the fused kernel."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        query, key, value = self._split(tokens)
        found = F.scaled_dot_product_attention(query, key, value)
        return self.out(found.transpose(1, 2).flatten(2))

    def weights(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b heads n n"]:
        """How much each token attends to each; rows sum to one."""
        query, key, _ = self._split(tokens)
        return (query @ key.transpose(2, 3) / query.shape[-1] ** 0.5).softmax(dim=-1)

    def _split(
        self, tokens: Float[Tensor, "b n _d"]
    ) -> tuple[
        Float[Tensor, "b heads n _d"], Float[Tensor, "b heads n _d"], Float[Tensor, "b heads n _d"]
    ]:
        """Query, key and value."""
        three = self.query_key_value(tokens).unflatten(2, (3, self.heads, -1))
        query, key, value = three.permute(2, 0, 3, 1, 4)
        return query, key, value


class Scale(nn.Module):
    """A learned factor for each channel, small at first (arXiv:2103.17239)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((width,), 1e-5))

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        return x * self.factor


class TransformerBlock(nn.Module):
    """Pre-norm attention and MLP, both residual."""

    def __init__(self, spec: ViTSpec) -> None:
        super().__init__()
        width, inner = spec.width, spec.width * spec.feed_factor
        self.attention_norm = nn.LayerNorm(width, eps=spec.norm_epsilon)
        self.attention = SelfAttention(width, spec.heads)
        self.attention_scale = Scale(width) if spec.layer_scale else nn.Identity()
        self.feed_norm = nn.LayerNorm(width, eps=spec.norm_epsilon)
        self.feed = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))
        self.feed_scale = Scale(width) if spec.layer_scale else nn.Identity()

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        tokens = tokens + self.attention_scale(self.attention(self.attention_norm(tokens)))
        return tokens + self.feed_scale(self.feed(self.feed_norm(tokens)))
