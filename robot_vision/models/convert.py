"""Converts weights of public implementations to our names; reports what does not fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.params import Params, with_options
from robot_vision.models.encoders.encoder import (
    ENCODERS,
    EncoderChoice,
    build_encoder,
    encoder_spec,
)
from robot_vision.models.encoders.layout import OWN, Layout, Renamed, rename
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import Weights, listed

# Where a model has its encoder (`PictureEncoder`), unless its spec names another place in
# `encoder_at`; and the key under which its choice travels with the weights.
IN_MODEL = "encoder.net."
TRAVELS = "encoder"


@dataclass(frozen=True, kw_only=True, eq=False)
class Converted:
    """An encoder's tensors by our names, and the choice that reproduces its outputs."""

    choice: EncoderChoice
    renamed: Renamed


def convert(choice: EncoderChoice, tensors: Mapping[str, Tensor]) -> Converted:
    """Weights of a known public layout by our names, with the options that the layout requires
    and the choice leaves open; ours are returned unchanged.

    Raises `ConfigError` that names what is missing, unexpected or of another shape.
    """
    renamed = _renamed(choice, tensors)
    options = {**renamed.layout.options, **choice.options}
    return Converted(choice=EncoderChoice(name=choice.name, options=options), renamed=renamed)


def convert_model(
    name: str, values: Mapping[str, Any], tensors: Mapping[str, Tensor], config: Mapping[str, Any]
) -> Weights:
    """Convert a public model's weights to those of our model `name`.

    `values` are fields of the spec that differ from its card; `config` is the `config.json` of
    the weights, empty for none: it sets fields that `values` leave open. Raises `ConfigError` that
    names what is missing, unexpected or of another shape, and `UnknownNameError`.
    """
    card = MODELS.get(name)
    if not card.layouts:
        raise ConfigError(f"no public names of the weights of model {name!r} are known")
    asked = {**_said_by(card.layouts[0], config), **values}
    spec = with_options(card.spec, asked, of=f"model {name!r}")
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        own = card.build(spec).state_dict()
    renamed = _fitting(own, spec, card.layouts, tensors, what=f"model {name!r}")
    return Weights(
        file=Path(), tensors=renamed.tensors, model=name, spec=spec.model_dump(mode="json")
    )


def _said_by(layout: Layout, config: Mapping[str, Any]) -> dict[str, Any]:
    if layout.options_of is None or not config:
        return {}
    try:
        return layout.options_of(config)
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"config.json beside the weights lacks what {layout.name} writes: "
            f"{quoted(repr(error))}"
        ) from error


def tensors_for_model(spec: Params, weights: Weights) -> dict[str, Tensor]:
    """Weights of a file by the names of a model of that spec.

    If the spec has an encoder and the file holds none under the model's names, the file is taken
    as that of an encoder: ours, that of `native-s`, or one in a public layout. Raises
    `ConfigError` if it is of another encoder, or of the same one with other options.
    """
    choice = getattr(spec, "encoder", None)
    if not isinstance(choice, EncoderChoice):
        return weights.tensors
    _check_same(choice, weights)
    place = getattr(spec, "encoder_at", IN_MODEL)
    if any(name.startswith(place) for name in weights.tensors):
        return weights.tensors
    try:
        renamed = _renamed(choice, weights.tensors)
        _check_options(choice, renamed.layout.options)
    except ConfigError as error:
        held = f" holds {quoted(weights.model)}" if weights.model else ""
        raise ConfigError(f"{weights.file}{held}: {error}") from error
    return {place + name: tensor for name, tensor in renamed.tensors.items()}


def _renamed(choice: EncoderChoice, tensors: Mapping[str, Tensor]) -> Renamed:
    spec = encoder_spec(choice)
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        own = build_encoder(choice).state_dict()
    layouts = (OWN, *ENCODERS.get(choice.name).layouts)
    return _fitting(own, spec, layouts, tensors, what=f"encoder {choice.name!r}")


def _fitting(
    own: Mapping[str, Tensor],
    spec: Params,
    layouts: tuple[Layout, ...],
    tensors: Mapping[str, Tensor],
    *,
    what: str,
) -> Renamed:
    """Rename by the layout that fits best; raises `ConfigError` if none fits."""
    renamed = min(
        (rename(tuple(own), spec, layout, tensors) for layout in layouts),
        key=lambda found: (len(found.missing), len(found.unexpected)),
    )
    faults = _faults(own, renamed)
    if faults:
        raise ConfigError(
            f"these weights do not fit {what}, read with the names of {renamed.layout.name}: "
            f"{faults}; expected {len(own)} tensors with the names of one of "
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


def _check_same(choice: EncoderChoice, weights: Weights) -> None:
    """Compare with the encoder that is recorded with the weights, if any."""
    written = weights.travels.get(TRAVELS) or weights.spec.get("encoder")
    if not isinstance(written, dict):
        return
    name = written.get("name")
    if name != choice.name:
        raise ConfigError(
            f"{weights.file} has the encoder {quoted(name)}, expected {choice.name!r}: "
            "name it in spec.encoder, or give other weights"
        )
    other = EncoderChoice(name=choice.name, options=written.get("options") or {})
    _check_options(choice, encoder_spec(other).model_dump(mode="json"))


def _check_options(choice: EncoderChoice, needed: Mapping[str, Any]) -> None:
    """Raise `ConfigError` if the chosen encoder differs in a required option."""
    own = encoder_spec(choice).model_dump(mode="json")
    differing = {name: value for name, value in needed.items() if value != own[name]}
    if differing:
        raise ConfigError(
            f"the weights are of encoder {choice.name!r} with {_assigned(differing)}; here it "
            f"has {_assigned({name: own[name] for name in differing})}: set them in "
            "spec.encoder.options"
        )


def _assigned(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in values.items())
