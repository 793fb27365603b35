"""Who answers questions about pictures: kinds of model, and the file that lists models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from pydantic import ValidationError

from robot_vision.core.errors import ConfigError, RobotVisionError
from robot_vision.core.foreign import read_yaml
from robot_vision.core.params import Params, faults_of, param
from robot_vision.core.registry import Registry
from robot_vision.multimodal.question import Question


class AnswerError(RobotVisionError):
    """A question has no answer; why is in words. The next question may have one."""


class GivenUpError(AnswerError):
    """As `AnswerError`, and asking this model again would not help: a key that is refused."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer. Tokens are None where the model says nothing of them.

    `waited_s` passed before the attempt that was answered, by a provider's limit of rates.
    """

    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    waited_s: float = 0.0


@runtime_checkable
class Answerer(Protocol):
    """A model that is ready to be asked."""

    def ask(self, question: Question, rgb: UInt8[np.ndarray, "h w 3"]) -> Reply:
        """Raises `AnswerError`, or `GivenUpError` where further questions are in vain."""
        ...

    def close(self) -> None: ...


class AnswererSpec(Params):
    """What the file says of a model; each kind adds its own."""

    name: str = param("", "as tables and reports call it; default: the kind", max_length=60)
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
        """What an answer costs: nothing without a price, None where the tokens are not known."""
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
    """A kind of model. `build` gets what will be asked; pictures go to one that `is_hosted`."""

    name: str
    about: str
    spec: type[AnswererSpec]
    build: Callable[[Any, Sequence[Question]], Answerer]
    is_hosted: bool = False


ANSWERERS: Registry[AnswererKind] = Registry(
    "kind of model", package="robot_vision.multimodal.answerers"
)


def register_answerer(kind: AnswererKind) -> None:
    """Make a kind of model known by its name."""
    ANSWERERS.register(kind.name)(kind)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A model that is to be asked."""

    name: str
    kind: AnswererKind
    spec: AnswererSpec


def baselines() -> list[Chosen]:
    """What every table has: trivial answers, and this service's own models."""
    return [_chosen({"kind": kind}, where=kind) for kind in ("nothing", "constant", "service")]


def read_models(file: Path) -> list[Chosen]:
    """The models that a YAML file lists under `models`; raises `ConfigError`."""
    content = read_yaml(Path(file))
    listed = content.get("models") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise ConfigError(
            f"{file} lists no models: expected `models:` and below it a line a model, like "
            "`- {kind: local, folder: ~/models/paligemma}`"
        )
    return [_chosen(entry, where=f"{file}, model {row}") for row, entry in enumerate(listed, 1)]


def with_names_apart(chosen: Sequence[Chosen]) -> list[Chosen]:
    """The same; raises `ConfigError` if two have one name."""
    names = [one.name for one in chosen]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"several models are called {', '.join(twice)}; give each a `name`")
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
