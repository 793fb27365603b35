"""Vision transformers (arXiv:2010.11929), with those of DINO (arXiv:2104.14294, 2304.07193).

They have one map, at the stride of a patch.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from robot_vision.models.encoders.encoder import (
    Encoded,
    Encoder,
    EncoderCard,
    Preparation,
    register_encoder,
)
from robot_vision.models.encoders.vit_names import LAYOUTS
from robot_vision.models.encoders.vit_parts import (
    TransformerBlock,
    ViTSpec,
    interpolated,
    sinusoidal_positions,
)

_SPREAD = 0.02  # standard deviation of initial weights


class ViT(Encoder):
    """The map holds the patches' tokens; `pooled` is the class token, or their mean."""

    def __init__(self, spec: ViTSpec) -> None:
        super().__init__()
        self.spec = spec
        self.strides, self.channels, self.dim = (spec.patch_px,), (spec.width,), spec.width
        self.patch = nn.Conv2d(3, spec.width, spec.patch_px, stride=spec.patch_px)
        if spec.class_token:
            self.class_token = nn.Parameter(torch.zeros(1, 1, spec.width))
        if spec.registers:
            self.register_tokens = nn.Parameter(torch.zeros(1, spec.registers, spec.width))
        if spec.positions == "learned":
            count = spec.grid[0] * spec.grid[1] + self._has_class_position
            self.positions = nn.Parameter(torch.zeros(1, count, spec.width))
        self.blocks = nn.ModuleList(TransformerBlock(spec) for _ in range(spec.depth))
        self.norm = nn.LayerNorm(spec.width, eps=spec.norm_epsilon)
        self._draw()

    @property
    def _has_class_position(self) -> bool:
        return self.spec.class_token and self.spec.class_position

    def forward(self, picture: Float[Tensor, "b 3 h w"]) -> Encoded:
        rows, columns = (int(side) // self.spec.patch_px for side in picture.shape[2:])
        tokens = self._tokens(picture)
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        patches = tokens[:, -rows * columns :]
        pooled = tokens[:, 0] if self.spec.pooling == "class" else patches.mean(dim=1)
        return Encoded(
            maps=(patches.transpose(1, 2).unflatten(2, (rows, columns)),), pooled=pooled
        )

    def some_tokens(
        self, picture: Float[Tensor, "b 3 h w"], kept: Int[Tensor, "b k"]
    ) -> Float[Tensor, "b n d"]:
        """Class and register tokens, then those of the patches `kept` only.

        Patches left out cost nothing and no token attends to them (arXiv:2111.06377).
        """
        tokens = self._tokens(picture)
        first = int(self.spec.class_token) + self.spec.registers
        patches = tokens[:, first:]
        chosen = patches.gather(1, kept[..., None].expand(-1, -1, patches.shape[2]))
        tokens = torch.cat([tokens[:, :first], chosen], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def attention_maps(
        self, picture: Float[Tensor, "b 3 h w"]
    ) -> tuple[Float[Tensor, "b heads n n"], ...]:
        """Each block's attention among all tokens.

        Tokens are the class token, registers (if the spec has them) and patches row by row.
        """
        tokens = self._tokens(picture)
        maps = []
        for block in self.blocks:
            assert isinstance(block, TransformerBlock)
            maps.append(block.attention.weights(block.attention_norm(tokens)))
            tokens = block(tokens)
        return tuple(maps)

    def _tokens(self, picture: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """Class and register tokens, then patches with their positions."""
        patches = self.patch(picture)
        batch, _, rows, columns = patches.shape
        of_class, of_patches = self._positions(int(rows), int(columns))
        patches = patches.flatten(2).transpose(1, 2) + of_patches
        first = []
        if self.spec.class_token:
            token = self.class_token if of_class is None else self.class_token + of_class
            first.append(token.expand(batch, -1, -1))
        if self.spec.registers:
            first.append(self.register_tokens.expand(batch, -1, -1))
        return torch.cat([*first, patches], dim=1)

    def _positions(
        self, rows: int, columns: int
    ) -> tuple[Float[Tensor, "1 1 d"] | None, Float[Tensor, "1 cells d"]]:
        """Position of the class token, if it has one, and those of patches."""
        if self.spec.positions == "sinusoidal":
            fixed = sinusoidal_positions(rows, columns, self.spec.width)
            return None, fixed.to(self.patch.weight)
        count = int(self._has_class_position)
        of_class = self.positions[:, :1] if count else None
        learned = self.positions[:, count:]
        return of_class, interpolated(
            learned, self.spec.grid, (rows, columns), antialias=self.spec.antialias
        )

    def _draw(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=_SPREAD)
                nn.init.zeros_(_bias(module))
        for name, parameter in self.named_parameters(recurse=False):
            assert name
            nn.init.trunc_normal_(parameter, std=_SPREAD)


def _bias(layer: nn.Linear | nn.Conv2d) -> Float[Tensor, " d"]:
    assert layer.bias is not None
    return layer.bias


_TINY = {"width": 16, "heads": 2, "depth": 2, "feed_factor": 2, "grid": (3, 2)}
_HALF = (0.5, 0.5, 0.5)
_GOOGLE = Preparation(width_px=224, height_px=224, mean=_HALF, std=_HALF)
_IMAGENET = Preparation(width_px=224, height_px=224)
_SMALL: dict[str, Any] = {"width": 384, "heads": 6}
_DINOV2: dict[str, Any] = {"patch_px": 14, "grid": (37, 37), "layer_scale": True}


def _register(name: str, about: str, spec: ViTSpec, preparation: Preparation, paper: str) -> None:
    register_encoder(
        EncoderCard(
            name=name,
            about=about,
            spec=spec,
            tiny=spec.model_copy(update=_TINY),
            build=ViT,
            preparation=preparation,
            layouts=LAYOUTS,
            paper=paper,
        )
    )


_VIT = "Vision transformer with patches of {} px."
for _name, _spec in {
    "vit-ti16": ViTSpec(),
    "vit-s16": ViTSpec(**_SMALL),
    "vit-b16": ViTSpec(width=768, heads=12),
}.items():
    _register(_name, _VIT.format(_spec.patch_px), _spec, _GOOGLE, "arXiv:2010.11929")
for _name, _spec in {
    "dino-s16": ViTSpec(**_SMALL),
    "dino-s8": ViTSpec(**_SMALL, patch_px=8, grid=(28, 28)),
}.items():
    _register(_name, _VIT.format(_spec.patch_px), _spec, _IMAGENET, "arXiv:2104.14294")
for _name, _spec in {
    "dinov2-s14": ViTSpec(**_SMALL, **_DINOV2),
    "dinov2-s14-registers": ViTSpec(**_SMALL, **_DINOV2, registers=4, antialias=True),
}.items():
    _register(_name, _VIT.format(_spec.patch_px), _spec, _IMAGENET, "arXiv:2304.07193")
