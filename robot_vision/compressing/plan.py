"""The YAML plan: the model, the data, and the chains of steps to try."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from robot_vision.compressing.step import STEPS, GraphStep, Step
from robot_vision.core.errors import ConfigError, UnknownNameError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.params import Params, faults_of, param
from robot_vision.core.parameters.values import load_yaml

ORIGINAL = "original"


class VariantOptions(Params):
    """One chain of steps, each a mapping with its `kind` and options."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9\-]*$")]
    steps: list[dict[str, Any]] = param([], "in their order", min_length=1)


class PlanOptions(Params):
    """The model to compress, and the data to measure it on."""

    model: str = param("", "bundle with weights, or folder of a run")
    recipe: str = param("", "recipe for tuning and measuring; empty: that of the run")
    set: dict[str, Any] = param({}, "changed parameters of the recipe, by dotted name")
    test_set: str = param("", "held-out set for the report, not used for any choice")
    images: int = param(100, "pictures of the recipe's validation set, to judge steps", ge=1)
    most_lost: float = param(0.02, "how much of the task's figure a variant may lose", ge=0, le=1)
    threads: int = param(1, "threads of each timed run", ge=1, le=256)
    rounds: int = param(10, "blocks of five timed runs per variant", ge=1, le=1000)
    variants: list[VariantOptions] = param([], "chains to try", min_length=1)


@dataclass(frozen=True, kw_only=True)
class Variant:
    name: str
    weights: tuple[Step, ...]
    graph: GraphStep | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    options: PlanOptions
    variants: tuple[Variant, ...]


def load_plan(file: Path, overrides: Mapping[str, object] | None = None) -> Plan:
    """Read a plan; `overrides` replace its fields by name, `set.NAME` one of the recipe's.

    Raises `ConfigError` with the field that is unknown or out of bounds.
    """
    values = dict(load_yaml(file))
    for name, value in (overrides or {}).items():
        if name.startswith("set."):
            values["set"] = {**(values.get("set") or {}), name.removeprefix("set."): value}
        else:
            values[name] = value
    try:
        options = PlanOptions.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{file}: {faults_of(error)}") from error
    for name in ("model", "test_set"):
        if not getattr(options, name):
            raise ConfigError(f"{file} has no {name}: expected {_MEANT[name]}")
    names = [variant.name for variant in options.variants]
    if ORIGINAL in names:
        raise ConfigError(f"{file}: a variant may not be named {ORIGINAL!r}, as the first row is")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"{file}: several variants have the same name: {', '.join(twice)}")
    return Plan(
        options=options,
        variants=tuple(_variant(variant, file) for variant in options.variants),
    )


_MEANT = {
    "model": "a bundle with weights, or the folder of a run",
    "test_set": "a held-out set that is not used for any choice",
}


def _variant(options: VariantOptions, file: Path) -> Variant:
    where = f"{file}, variant {options.name!r}"
    steps = [_step(values, where) for values in options.steps]
    graph = steps[-1] if isinstance(steps[-1], GraphStep) else None
    weights = steps[:-1] if graph else steps
    if early := next((step for step in weights if isinstance(step, GraphStep)), None):
        raise ConfigError(f"{where}: {early.kind} writes a graph; expected it as the last step")
    return Variant(name=options.name, weights=tuple(weights), graph=graph)


def _step(values: Mapping[str, Any], where: str) -> Step:
    rest = dict(values)
    kind = rest.pop("kind", None)
    if kind is None:
        raise ConfigError(f"{where}: {quoted(values)} has no kind; available: {', '.join(STEPS)}")
    try:
        return STEPS.get(str(kind)).model_validate(rest)
    except UnknownNameError as error:
        raise ConfigError(f"{where}: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{where}, {kind}: {faults_of(error)}") from error
