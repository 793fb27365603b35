"""An encoder: a picture becomes maps at declared strides and an embedding.

Whatever needs an encoder takes any that is registered here, by an `EncoderChoice` in its spec.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.params import Params, param, with_options
from robot_vision.core.registry import Registry
from robot_vision.models.encoders.layout import Layout

SpecT = TypeVar("SpecT", bound=Params)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoded:
    """What an encoder makes of pictures.

    `maps`, finest first: f32 [b, channels[i], h/strides[i], w/strides[i]]. `pooled` f32 [b, dim].
    """

    maps: tuple[Tensor, ...]
    pooled: Tensor


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How pixels become the encoder's input: `(pixel / 255 - mean) / std`, at about this size."""

    width_px: int
    height_px: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


class Encoder(nn.Module, ABC):
    """Takes pictures of any size that its largest stride divides.

    `preparation` stands before the card's where it depends on the spec.
    """

    strides: tuple[int, ...]
    channels: tuple[int, ...]
    dim: int
    preparation: Preparation | None = None

    @abstractmethod
    def forward(self, picture: Tensor) -> Encoded:
        """Of a picture f32 [b,3,h,w], prepared as the card says."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EncoderCard(Generic[SpecT]):
    """One encoder. Register it with `register_encoder(EncoderCard(…))` in the file that has it.

    `build(spec)` makes it with fresh weights. `tiny` is a spec that tests build in milliseconds.
    `needs` names a package that must be installed for it, empty for none.
    """

    name: str
    about: str
    spec: SpecT
    tiny: SpecT
    build: Callable[[SpecT], Encoder]
    preparation: Preparation
    layouts: tuple[Layout, ...] = ()
    needs: str = ""
    paper: str = ""
    licence: str = "Apache-2.0"
    limits: str = ""


ENCODERS: Registry[EncoderCard[Any]] = Registry("encoder", package="robot_vision.models.encoders")


def register_encoder(card: EncoderCard[Any]) -> None:
    """Make an encoder known by the name on its card."""
    ENCODERS.register(card.name)(card)


class EncoderChoice(Params):
    """Which encoder a model has, and what differs from its card."""

    name: str = param("resnet18", "encoder; `robot-vision models encoders` lists them")
    options: dict[str, Any] = param({}, "fields of the encoder's spec that differ from its card")


def encoder_spec(choice: EncoderChoice) -> Params:
    """The spec of the encoder chosen; raises `ConfigError` that names each field that is wrong."""
    spec = ENCODERS.get(choice.name).spec
    return with_options(spec, choice.options, of=f"encoder {choice.name!r}")


def build_encoder(choice: EncoderChoice) -> Encoder:
    """The encoder chosen, with fresh weights; raises `ConfigError` or `UnknownNameError`."""
    return ENCODERS.get(choice.name).build(encoder_spec(choice))


def check_size(height_px: int, width_px: int, *, stride_px: int, name: str) -> None:
    """Raise `ConfigError` unless the stride divides both sides of a picture."""
    if height_px % stride_px or width_px % stride_px:
        nearest = " x ".join(
            str(max(stride_px, round(side / stride_px) * stride_px))
            for side in (width_px, height_px)
        )
        raise ConfigError(
            f"a picture of {width_px} x {height_px} px for {name}: expected sides that its "
            f"stride of {stride_px} px divides; the nearest is {nearest}"
        )
