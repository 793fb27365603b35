"""Models that answer questions about pictures: their kinds, and the file that lists them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from pydantic import ValidationError

from robot_vision.core.errors import ConfigError, RobotVisionError
from robot_vision.core.files.foreign import read_yaml
from robot_vision.core.parameters.params import Params, faults_of, param
from robot_vision.core.registry import Registry
from robot_vision.multimodal.question import Question


class AnswerError(RobotVisionError):
    """A question has no answer, with the reason. The next question may have one."""


class GivenUpError(AnswerError):
    """Like `AnswerError`, but asking this model again would not help, as for a refused key."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer. Tokens are None if the model does not report them.

    `waited_s` passed before the answered attempt, due to a provider's rate limit.
    """

    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    waited_s: float = 0.0


@runtime_checkable
class Answerer(Protocol):
    """A model ready to answer."""

    def ask(self, question: Question, rgb: UInt8[np.ndarray, "h w 3"]) -> Reply:
        """Raises `AnswerError`, or `GivenUpError` if further questions are pointless."""
        ...

    def close(self) -> None: ...


class AnswererSpec(Params):
    """A model's entry in the file; each kind adds its own fields."""

    name: str = param("", "name in tables and reports; default: the kind", max_length=60)
    usd_per_million_input_tokens: float | None = param(
        None, "price, from the provider's own list", unit="USD", ge=0, le=10_000
    )
    usd_per_million_output_tokens: float | None = param(
        None, "price, from the provider's own list", unit="USD", ge=0, le=10_000
    )

    @property
    def is_free(self) -> bool:
        return not (self.usd_per_million_input_tokens or self.usd_per_million_output_tokens)

    def usd_of(self, reply: Reply) -> float | None:
        """The cost of an answer: zero without a price, None if the tokens are unknown."""
        total = 0.0
        for price, count in (
            (self.usd_per_million_input_tokens, reply.input_tokens),
            (self.usd_per_million_output_tokens, reply.output_tokens),
        ):
            if price and count is None:
                return None
            total += (price or 0.0) * (count or 0) / 1e6
        return total


@dataclass(frozen=True, kw_only=True)
class AnswererKind:
    """A kind of model. `build` gets the questions; pictures leave this machine if `is_hosted`."""

    name: str
    about: str
    spec: type[AnswererSpec]
    build: Callable[[Any, Sequence[Question]], Answerer]
    is_hosted: bool = False


ANSWERERS: Registry[AnswererKind] = Registry(
    "kind of model", package="robot_vision.multimodal.answerers"
)


def register_answerer(kind: AnswererKind) -> None:
    """Register a kind of model under its name."""
    ANSWERERS.register(kind.name)(kind)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A model to be asked."""

    name: str
    kind: AnswererKind
    spec: AnswererSpec


def baselines() -> list[Chosen]:
    """The entries of every table: trivial baselines, and this service's own models."""
    return [_chosen({"kind": kind}, where=kind) for kind in ("nothing", "constant", "service")]


def read_models(file: Path) -> list[Chosen]:
    """The models that a YAML file lists under `models`; raises `ConfigError`."""
    content = read_yaml(Path(file))
    listed = content.get("models") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise ConfigError(
            f"{file} lists no models: expected `models:` and below it one line per model, such as "
            "`- {kind: local, folder: ~/models/paligemma}`"
        )
    return [_chosen(entry, where=f"{file}, model {row}") for row, entry in enumerate(listed, 1)]


def with_names_apart(chosen: Sequence[Chosen]) -> list[Chosen]:
    """The same entries; raises `ConfigError` if two share a name."""
    names = [one.name for one in chosen]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"several models are named {', '.join(twice)}; give each a `name`")
    return list(chosen)


def _chosen(entry: Any, *, where: str) -> Chosen:
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
        known = ", ".join(ANSWERERS)
        has = ", ".join(map(str, entry)) if isinstance(entry, dict) else type(entry).__name__
        raise ConfigError(f"{where} has {has}; expected a `kind`: {known}")
    kind = ANSWERERS.get(entry["kind"])
    options = {key: value for key, value in entry.items() if key != "kind"}
    fields = ", ".join(kind.spec.model_fields)
    unknown = sorted(str(key) for key in options if key not in kind.spec.model_fields)
    if unknown:  # without its value: it may be a key
        text = f"{where}, kind {kind.name}, has {', '.join(unknown)}; it may have {fields}"
        raise ConfigError(text)
    try:
        spec = kind.spec.model_validate(options)
    except ValidationError as error:
        text = f"{where}, kind {kind.name}: {faults_of(error)}; it may have {fields}"
        raise ConfigError(text) from error
    return Chosen(name=spec.name or kind.name, kind=kind, spec=spec)
