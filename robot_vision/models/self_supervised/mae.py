"""Masked autoencoder (arXiv:2111.06377): a ViT that sees a quarter of the patches, and a light
decoder that reconstructs the others."""

import torch
from jaxtyping import Float, Int, Real
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.encoders.vit import ViT
from robot_vision.models.encoders.vit_parts import TransformerBlock, ViTSpec, sinusoidal_positions
from robot_vision.models.picture import PICTURE, noise_pictures
from robot_vision.models.registry import register_model
from robot_vision.models.self_supervised.served import FEATURES, SERVING, features_of

_SPREAD = 0.02


class MaeSpec(Params):
    encoder: EncoderChoice = EncoderChoice(name="vit-ti16")
    hidden_share: float = param(0.75, "share of patches hidden from the encoder", gt=0, lt=1)
    decoder_width: int = param(96, "width of a token in the decoder", ge=4, le=2048, multiple_of=4)
    decoder_depth: int = param(2, "blocks of the decoder", ge=1, le=32)
    decoder_heads: int = param(3, "attention heads of the decoder", ge=1, le=64)


class Decoder(nn.Module):
    """Reconstructs every patch from the tokens of visible ones."""

    def __init__(self, spec: MaeSpec, *, width: int, patch_px: int) -> None:
        super().__init__()
        own = ViTSpec(width=spec.decoder_width, heads=spec.decoder_heads, depth=spec.decoder_depth)
        self.width = own.width
        self.embed = nn.Linear(width, own.width)
        self.hidden_token = nn.Parameter(torch.zeros(own.width))
        nn.init.normal_(self.hidden_token, std=_SPREAD)
        self.blocks = nn.ModuleList(TransformerBlock(own) for _ in range(own.depth))
        self.norm = nn.LayerNorm(own.width)
        self.paint = nn.Linear(own.width, 3 * patch_px**2)

    def forward(
        self,
        tokens: Float[Tensor, "b n _d"],
        kept: Int[Tensor, "b k"],
        grid: tuple[int, int],
    ) -> Float[Tensor, "b cells pixels"]:
        """Pixels of all patches, from class and register tokens and those of patches `kept`."""
        seen = self.embed(tokens)
        first, patches = seen.split([seen.shape[1] - kept.shape[1], kept.shape[1]], dim=1)
        rows, columns = grid
        places = kept[..., None].expand_as(patches)
        all_of = self.hidden_token.expand(len(seen), rows * columns, -1)
        laid_out = all_of.scatter(1, places, patches)
        laid_out = laid_out + sinusoidal_positions(rows, columns, self.width).to(laid_out)
        x = torch.cat([first, laid_out], dim=1)
        for block in self.blocks:
            x = block(x)
        return self.paint(self.norm(x[:, first.shape[1] :]))


class Mae(nn.Module):
    """In training, returns the reconstructed patches as `output`, and which were `hidden`.

    Otherwise it returns the encoder's `features` and unit-norm `embedding`.

    Raises `ConfigError` for an encoder that is not a ViT: others cannot leave patches out.
    """

    def __init__(self, spec: MaeSpec) -> None:
        super().__init__()
        self.encoder = PictureEncoder(spec.encoder)
        self._hidden_share = spec.hidden_share
        vit = self.encoder.net
        if not isinstance(vit, ViT):
            raise ConfigError(
                f"spec.encoder.name = {spec.encoder.name!r}: a masked autoencoder needs an "
                "encoder that can leave patches out, such as vit-ti16, vit-s16 or dino-s8"
            )
        self.patch_px = vit.spec.patch_px
        self.decoder = Decoder(spec, width=vit.dim, patch_px=self.patch_px)

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        return self._painted(rgb) if self.training else self._encoded(rgb)

    def _encoded(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        return features_of(self.encoder(rgb), self.encoder.strides)

    def _painted(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        vit = self.encoder.net
        assert isinstance(vit, ViT)
        grid = (int(rgb.shape[1]) // self.patch_px, int(rgb.shape[2]) // self.patch_px)
        count = grid[0] * grid[1]
        shown = max(1, round(count * (1 - self._hidden_share)))
        if shown >= count:
            raise ConfigError(
                f"a view of {rgb.shape[2]}x{rgb.shape[1]} px has {count} patches of "
                f"{self.patch_px} px, and spec.hidden_share = {self._hidden_share:g} hides none: "
                "raise options.view_px, or spec.hidden_share"
            )
        order = torch.rand(len(rgb), count, device=rgb.device).argsort(dim=1)
        kept = order[:, :shown]
        tokens = vit.some_tokens(self.encoder.prepared(rgb), kept)
        hidden = torch.ones(len(rgb), count, dtype=torch.bool, device=rgb.device)
        return {
            "output": self.decoder(tokens, kept, grid),
            "hidden": hidden.scatter(1, kept, False),
        }


register_model(
    Card(
        name="mae",
        about="A ViT that learns without labels, by reconstructing hidden patches.",
        paper="arXiv:2111.06377",
        task="mae",
        spec=MaeSpec(),
        tiny=MaeSpec(
            encoder=EncoderChoice(
                name="vit-ti16", options={"width": 16, "heads": 2, "depth": 2, "grid": (3, 2)}
            ),
            decoder_width=8,
            decoder_depth=1,
            decoder_heads=2,
        ),
        build=Mae,
        example=noise_pictures,
        inputs=PICTURE,
        outputs=FEATURES,
        most_parameters=6_500_000,
        serving=SERVING,
        limits="An encoder: its outputs serve other models, or to compare pictures.",
    )
)
