"""Weights to begin from: an encoder's, by whoever's names, and a head for the same classes."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from robot_vision.models.convert import tensors_for
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.registry import MODELS
from robot_vision.training.engine.recipe import Recipe

_ENCODER = "encoder.net."


def transferred(
    recipe: Recipe, tensors: Mapping[str, Tensor], *, without: str = ""
) -> dict[str, Tensor]:
    """Tensors by the names of the recipe's model; those that begin with `without` are left out.

    A file of the model's own kind is taken as it is, and so is one for a model without an
    encoder. Else it must hold the encoder's weights, of any layout that the encoder's card
    names; raises `ConfigError` where it does not.
    """
    spec = {**MODELS.get(recipe.model).spec.model_dump(), **recipe.spec}
    if "encoder" not in spec or any(name.startswith(_ENCODER) for name in tensors):
        kept = tensors.items()
        return {n: t for n, t in kept if not without or not n.startswith(without)}
    choice = EncoderChoice.model_validate(spec["encoder"])
    return {_ENCODER + name: tensor for name, tensor in tensors_for(choice, tensors).items()}


def without_head(head: str, class_names: tuple[str, ...], travels: Mapping[str, Any]) -> str:
    """The head's prefix unless it is for these classes: what `transferred` leaves out."""
    return "" if tuple(travels.get("classes", ())) == class_names else head
