"""The interface that makes a vision-language model usable as a policy: where its parts are.

The six attributes are those of RoboVLMs (arXiv:2412.14058).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from robot_vision.core.errors import ConfigError
from robot_vision.core.registry import Registry
from robot_vision.models.encoders.encoder import Preparation

ATTRIBUTES = (
    "image_processor",
    "hidden_size",
    "word_embedding",
    "text_tower",
    "vision_tower",
    "model",
)
GENERIC = "generic"
HALF = (0.5, 0.5, 0.5)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """A row of tokens, and which of them are present; absent ones have no influence."""

    values: Float32[Tensor, "b n d"]
    present: Bool[Tensor, "b n"]


class VlmAdapter:
    """A subclass defines the six attributes as properties over `backbone`, and registers itself.

    `image_processor` is a `Preparation` (size, mean, deviation of pictures), `hidden_size` the
    width of a token, `word_embedding` the embedding table, `text_tower` the module that takes
    `inputs_embeds`, `vision_tower` the one that takes pixels, and `model` the whole. A subclass
    may also override how pictures become tokens (`encode_images`) and how tokens are read
    (`read`).
    """

    image_processor: Any
    hidden_size: Any
    word_embedding: Any
    text_tower: Any
    vision_tower: Any
    model: Any

    # Values of `model_type` in configs that it supports.
    model_types: ClassVar[tuple[str, ...]] = ()
    # Whether attention among pictures and words is bidirectional; otherwise it is causal.
    sees_ahead: ClassVar[bool] = False
    first_position: ClassVar[int] = 0

    def __init__(self, backbone: Any) -> None:
        """Raises `ConfigError` that names all missing attributes."""
        self.backbone = backbone
        check_attributes(self)

    @property
    def found(self) -> dict[str, str]:
        """How each part was found, for adapters that search for them."""
        return {}

    def encode_images(self, pixels: Float32[Tensor, "b 3 h w"]) -> Float32[Tensor, "b n d"]:
        """Tokens of prepared pictures, as the text tower takes them."""
        return self.vision_tower(pixels).last_hidden_state

    def read(self, images: Row, words: Row) -> Float32[Tensor, "b n d"]:
        """Outputs of the text tower for `words`, which follow the pictures, one per token.

        For a decoder that takes both in one row; overridden where pictures enter otherwise.
        """
        values = torch.cat([images.values, words.values], dim=1)
        present = torch.cat([images.present, words.present], dim=1)
        found = self.text_tower(
            inputs_embeds=values,
            attention_mask=self.visible(present, values.dtype),
            position_ids=self.positions(present),
            use_cache=False,
        )
        return found.last_hidden_state[:, images.values.shape[1] :]

    def positions(self, present: Bool[Tensor, "b n"]) -> Int[Tensor, "b n"]:
        """Positions that count only the tokens that are present."""
        return (present.long().cumsum(dim=1) - 1).clamp(min=0) + self.first_position

    def visible(
        self, present: Bool[Tensor, "b n"], dtype: torch.dtype
    ) -> Bool[Tensor, "b 1 n n"] | Float[Tensor, "b 1 n n"]:
        """Which token (third axis) attends to which (last), in the form the attention takes.

        Each token attends to itself, so that no row of the mask is empty.
        """
        count = present.shape[1]
        sees = torch.ones(count, count, dtype=torch.bool, device=present.device)
        order = sees if self.sees_ahead else sees.tril()
        found = (order & present[:, None]) | torch.eye(
            count, dtype=torch.bool, device=present.device
        )
        if self.backbone.config._attn_implementation == "sdpa":
            return found[:, None]
        hidden = torch.finfo(dtype).min
        return torch.where(found, 0.0, hidden).to(dtype)[:, None]


ADAPTERS: Registry[type[VlmAdapter]] = Registry(
    "VLM adapter", package="robot_vision.models.vla.adapters"
)


def adapter_for(model_type: str) -> str:
    """Name of the adapter for a `model_type`; `generic` if there is none."""
    names = (name for name in ADAPTERS if model_type in ADAPTERS.get(name).model_types)
    return next(names, GENERIC)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """Size of what an adapter makes of a picture."""

    picture_tokens: int
    picture_width: int


@torch.no_grad()
def try_out(adapter: VlmAdapter) -> Tried:
    """Run a blank picture and two words through a backbone.

    Raises `ConfigError` if tokens or outputs have unexpected shapes.
    """
    prepared, hidden = adapter.image_processor, adapter.hidden_size
    device = next(adapter.model.parameters()).device
    blank = torch.zeros(1, 3, prepared.height_px, prepared.width_px, device=device)
    try:
        tokens = adapter.encode_images(blank)
        images = Row(values=tokens, present=torch.ones(tokens.shape[:2], device=device).bool())
        words = torch.zeros(1, 2, hidden, device=device)
        read = adapter.read(images, Row(values=words, present=words[..., 0] == 0))
    except Exception as error:  # a backbone made for other inputs may raise anything
        raise ConfigError(
            f"adapter {type(adapter).__name__} cannot read a picture and two words by a "
            f"{type(adapter.backbone).__name__}: {type(error).__name__}: {error}"
        ) from error
    if tokens.ndim != 3 or read.shape != words.shape:
        raise ConfigError(
            f"adapter {type(adapter).__name__} makes {list(tokens.shape)} of a picture and reads "
            f"{list(read.shape)} of two words; expected [1, tokens, width] and {[1, 2, hidden]}"
        )
    return Tried(picture_tokens=tokens.shape[1], picture_width=tokens.shape[2])


def check_attributes(adapter: VlmAdapter) -> None:
    """Raise `ConfigError` with every missing attribute and the reason."""
    problems = list[str]()
    for name in ATTRIBUTES:
        try:
            getattr(adapter, name)
        except AttributeError as error:
            problems.append(f"{name} ({error})")
    if problems:
        raise ConfigError(
            f"adapter {type(adapter).__name__} of a {type(adapter.backbone).__name__} lacks "
            f"{', '.join(problems)}: expected a property for each of {', '.join(ATTRIBUTES)}"
        )


def square(
    size_px: int, mean: tuple[float, float, float], std: tuple[float, float, float]
) -> Preparation:
    """Preparation of square pictures."""
    return Preparation(width_px=size_px, height_px=size_px, mean=mean, std=std)
