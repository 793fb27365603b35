"""Weights of public implementations become ours: names are mapped, what does not fit is named."""

from collections.abc import Mapping

import torch
from torch import Tensor

from robot_vision.core.errors import ConfigError
from robot_vision.models.encoders.encoder import (
    ENCODERS,
    EncoderChoice,
    build_encoder,
    encoder_spec,
)
from robot_vision.models.encoders.layout import OWN, Renamed, rename
from robot_vision.models.weights import listed


def tensors_for(choice: EncoderChoice, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a known public layout by our names; ours are returned unchanged.

    Raises `ConfigError` that names what is missing, unexpected or of another shape.
    """
    return renamed_for(choice, tensors).tensors


def renamed_for(choice: EncoderChoice, tensors: Mapping[str, Tensor]) -> Renamed:
    """As `tensors_for`, with the layout that they had and the layers of heads left out."""
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        own = build_encoder(choice).state_dict()
    layouts = (OWN, *ENCODERS.get(choice.name).layouts)
    renamed = min(
        (rename(tuple(own), encoder_spec(choice), layout, tensors) for layout in layouts),
        key=lambda found: (len(found.missing), len(found.unexpected)),
    )
    faults = _faults(own, renamed)
    if faults:
        raise ConfigError(
            f"the weights do not fit encoder {choice.name!r} (names as {renamed.layout} has "
            f"them): {faults}; expected {len(own)} tensors of one of the layouts "
            f"{', '.join(layout.name for layout in layouts)}"
        )
    return renamed


def _faults(own: Mapping[str, Tensor], renamed: Renamed) -> str:
    reshaped = tuple(
        f"{name} {list(tensor.shape)} for {list(own[name].shape)}"
        for name, tensor in renamed.tensors.items()
        if tensor.shape != own[name].shape
    )
    kinds = (
        ("missing", renamed.missing),
        ("unexpected", renamed.unexpected),
        ("of another shape", reshaped),
    )
    return "; ".join(f"{kind}: {listed(names)}" for kind, names in kinds if names)
