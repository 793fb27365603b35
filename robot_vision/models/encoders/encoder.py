"""The interface of encoders: a picture becomes maps at declared strides and an embedding.

A model takes any encoder that is registered here, by an `EncoderChoice` in its spec.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params, param, with_options
from robot_vision.core.registry import Registry
from robot_vision.models.encoders.layout import Layout

SpecT = TypeVar("SpecT", bound=Params)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoded:
    """Encoded pictures: `maps` at the encoder's strides, finest first, and one vector `pooled`."""

    maps: tuple[Float[Tensor, "b _c _h _w"], ...]
    pooled: Float[Tensor, "b d"]


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How pixels become the encoder's input: `(pixel / 255 - mean) / std`, at about this size."""

    width_px: int
    height_px: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


class Encoder(nn.Module, ABC):
    """Takes pictures of any size that its largest stride divides.

    `preparation` replaces the card's where it depends on the spec.
    """

    strides: tuple[int, ...]
    channels: tuple[int, ...]
    dim: int
    preparation: Preparation | None = None

    @abstractmethod
    def forward(self, picture: Float[Tensor, "b 3 h w"]) -> Encoded:
        """Encode pictures that are prepared as the card declares."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EncoderCard(Generic[SpecT]):
    """One encoder. Register it with `register_encoder(EncoderCard(…))` in its own file.

    `build(spec)` makes it with new weights. `tiny` is a spec that tests build in milliseconds.
    `needs` names a package that must be installed for it; empty for none.
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
    """Register an encoder under the name on its card."""
    ENCODERS.register(card.name)(card)


class EncoderChoice(Params):
    """Which encoder a model has, and the options that differ from its card."""

    name: str = param("resnet18", "encoder; `robot-vision models encoders` lists them")
    options: dict[str, Any] = param({}, "fields of the encoder's spec that differ from its card")


def encoder_spec(choice: EncoderChoice) -> Params:
    """Spec of the chosen encoder; raises `ConfigError` that names each invalid field."""
    spec = ENCODERS.get(choice.name).spec
    return with_options(spec, choice.options, of=f"encoder {choice.name!r}")


def build_encoder(choice: EncoderChoice) -> Encoder:
    """The chosen encoder, with new weights; raises `ConfigError` or `UnknownNameError`."""
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
