"""Files of weights: tensors with the model, its spec and other metadata they depend on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import parse_json, quoted
from robot_vision.core.parameters.params import Params, faults_of
from robot_vision.models.card import Card
from robot_vision.models.narrow import narrow

_MOST_NAMED = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """Contents of a file. `spec` is empty in files from before it was recorded.

    `pruned`: layers are as wide as the tensors, not as in the spec.
    """

    file: Path
    tensors: dict[str, Tensor]
    model: str = ""
    spec: dict[str, Any] = field(default_factory=dict)
    travels: dict[str, Any] = field(default_factory=dict)
    pruned: bool = False


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How tensors fit a model, by layer: missing, unexpected and reshaped ones."""

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    reshaped: tuple[str, ...] = ()

    @property
    def fresh(self) -> tuple[str, ...]:
        """Layers of the model that the tensors leave unchanged."""
        return tuple(sorted({*self.missing, *(text.split(" ")[0] for text in self.reshaped)}))

    def __str__(self) -> str:
        kinds = (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("of another shape", self.reshaped),
        )
        return "; ".join(f"{kind}: {listed(names)}" for kind, names in kinds if names)


def read_weights(file: Path) -> Weights:
    """Read a safetensors file; raises `ConfigError` if it or its metadata are invalid."""
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = dict(opened.metadata() or {})
        tensors = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise ConfigError(f"cannot read the weights {file}: {error}") from error
    travels = _mapping(metadata, "travels", file)
    if "classes" in metadata and not travels:  # older files
        travels = {"classes": _parsed(metadata, "classes", file)}
    return Weights(
        file=file,
        tensors=tensors,
        model=metadata.get("model", ""),
        spec=_mapping(metadata, "spec", file),
        travels=travels,
        pruned=_parsed(metadata, "pruned", file) is True,
    )


def write_weights(file: Path, weights: Weights, *, half: bool = False) -> None:
    """Write what `read_weights` reads, atomically; `half`: floats have 16 bits."""
    tensors = {
        name: (t.half() if half and t.is_floating_point() else t).detach().cpu().contiguous()
        for name, t in weights.tensors.items()
    }
    metadata = {
        "model": weights.model,
        "spec": json.dumps(weights.spec),
        "travels": json.dumps(weights.travels),
    }
    if weights.pruned:
        metadata["pruned"] = json.dumps(True)
    partial = file.with_suffix(".partial")
    try:
        save_file(tensors, partial, metadata=metadata)
        partial.replace(file)
    except (SafetensorError, OSError) as error:
        partial.unlink(missing_ok=True)
        raise ConfigError(f"cannot write the weights {file}: {error}") from error


def spec_of(weights: Weights, card: Card[Any], values: Mapping[str, Any]) -> Any:
    """The spec of the weights: the one recorded with them, or the card's with `values`.

    Raises `ConfigError` if it does not fit the model, or the weights are of another model.
    """
    if weights.model and weights.model != card.name:
        raise ConfigError(
            f"{weights.file} holds weights of {quoted(weights.model)}, expected {card.name!r}"
        )
    kind: type[Params] = type(card.spec)
    known = {name: value for name, value in values.items() if name in kind.model_fields}
    try:
        return kind.model_validate(weights.spec or card.spec.model_dump() | known)
    except ValidationError as error:
        raise ConfigError(
            f"{weights.file} has no valid spec of {card.name!r}: {faults_of(error)}"
        ) from error


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor]) -> Fit:
    """Load what fits and leave the rest of the model unchanged. Returns what did not fit."""
    own = model.state_dict()
    fit = _fit(own, tensors)
    fitting = {n: t for n, t in tensors.items() if n in own and own[n].shape == t.shape}
    model.load_state_dict(fitting, strict=False)
    return fit


def load_exactly(model: nn.Module, weights: Weights, *, name: str) -> None:
    """Load all of a file; raises `ConfigError` with the layers that do not fit model `name`.

    If the file is of a pruned model, the model is narrowed to fit it.
    """
    if weights.pruned:
        narrow(model, weights.tensors)
    fit = _fit(model.state_dict(), weights.tensors)
    if fit != Fit():
        raise ConfigError(f"{weights.file} does not fit model {name!r}: {fit}")
    model.load_state_dict(weights.tensors)


def mean_of(weights: Weights, other: Weights) -> Weights:
    """Mean of two files of which one was trained from the other.

    Often better than either (Wortsman et al., arXiv:2109.01903). Raises `ConfigError` if they
    are of different networks or differ in the metadata that travels with them.
    """
    fit = _fit(weights.tensors, other.tensors)
    if fit != Fit() or weights.travels != other.travels:
        raise ConfigError(
            f"{weights.file} and {other.file} cannot be averaged: "
            f"{_other_travels(weights, other)}{str(fit) or 'their layers are the same'}"
        )
    tensors = {
        name: torch.lerp(t, other.tensors[name].to(t.dtype), 0.5) if t.is_floating_point() else t
        for name, t in weights.tensors.items()
    }
    return Weights(
        file=weights.file,
        tensors=tensors,
        model=weights.model,
        spec=weights.spec,
        travels=weights.travels,
        pruned=weights.pruned,
    )


def _other_travels(weights: Weights, other: Weights) -> str:
    return "".join(
        f"{name} are {quoted(weights.travels.get(name))} and {quoted(other.travels.get(name))}; "
        for name in sorted(weights.travels.keys() | other.travels.keys())
        if weights.travels.get(name) != other.travels.get(name)
    )


def _fit(own: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> Fit:
    return Fit(
        missing=tuple(sorted(own.keys() - tensors.keys())),
        unexpected=tuple(sorted(tensors.keys() - own.keys())),
        reshaped=tuple(
            f"{name} {list(tensors[name].shape)} for {list(own[name].shape)}"
            for name in sorted(own.keys() & tensors.keys())
            if own[name].shape != tensors[name].shape
        ),
    )


def listed(names: tuple[str, ...]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _MOST_NAMED
    shown = ", ".join(names[:_MOST_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


def _mapping(metadata: Mapping[str, str], key: str, file: Path) -> dict[str, Any]:
    value = _parsed(metadata, key, file)
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: expected a mapping as {key}, found {quoted(value)}")
    return value


def _parsed(metadata: Mapping[str, str], key: str, file: Path) -> Any:
    try:
        return parse_json(metadata.get(key, "{}"), what=f"{key} in {file}")
    except ForeignFileError as error:
        raise ConfigError(str(error)) from error
