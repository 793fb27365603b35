"""ROS parameters from the schema: declared with description, unit and range, read back."""

from array import array
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeVar, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from robot_vision.core.parameters.params import Params
from robot_vision.core.parameters.values import flatten, with_values

ParamsT = TypeVar("ParamsT", bound=Params)


def declare(node: Node, defaults: ParamsT) -> ParamsT:
    """Declare every parameter of `defaults` on `node`; returns the values that it was given.

    Raises `ConfigError` for a value that the schema refuses, and rclpy's errors for wrong types.
    """
    declared = node.declare_parameters(
        "", [(name, value, _descriptor(field, value)) for name, value, field in _leaves(defaults)]
    )
    return with_parameters(defaults, declared)


def with_parameters(params: ParamsT, changed: Iterable[Parameter]) -> ParamsT:
    """A copy of `params` with the values of ROS parameters; raises `ConfigError`."""
    return with_values(params, {p.name: _plain(p.value) for p in changed})


def with_known_parameters(
    params: ParamsT, changed: Iterable[Parameter]
) -> tuple[tuple[str, ...], ParamsT]:
    """The names among `changed` that the schema has, and a copy of `params` with their values.

    Others, such as use_sim_time, are ROS's own. Raises `ConfigError`.
    """
    known = flatten(params)
    ours = [parameter for parameter in changed if parameter.name in known]
    return tuple(parameter.name for parameter in ours), with_parameters(params, ours)


def configure_first(names: Iterable[str], state: str) -> str:
    """Why parameters are refused that only a configure transition applies."""
    return (
        f"{', '.join(names)}: applied when the node is configured, and it is {state} now; set it "
        "at start, or deactivate and clean up the node first"
    )


def _plain(value: Any) -> Any:
    # A list is empty in YAML as [''], because ROS cannot infer the type of []. Numbers come as
    # an `array`.
    if isinstance(value, (list, tuple, array)):
        return [item for item in value if item != ""]
    return value


def _leaves(params: Params, prefix: str = "") -> Iterator[tuple[str, Any, FieldInfo]]:
    for name, field in type(params).model_fields.items():
        value = getattr(params, name)
        if isinstance(value, Params):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value or [""] if value == [] else value, field


def parameter_lines(defaults: Params) -> Iterator[str]:
    """Each parameter with its default and meaning, for a node's --help."""
    for name, value, field in _leaves(defaults):
        yield f"{name}: {value}  # {describe_parameter(field)}"


def describe_parameter(field: FieldInfo) -> str:
    """The meaning of a parameter, its unit and its range, in one line."""
    unit = (field.json_schema_extra or {}).get("unit", "")  # pyright: ignore
    choices, (low, high) = _choices(field), _bounds(field)
    text = (field.description or "") + (f" [{unit}]" if unit else "")
    if choices:
        text += f" ({', '.join(choices)})"
    elif (low, high) != (None, None):
        text += f" ({'' if low is None else low}..{'' if high is None else high})"
    return text


def _descriptor(field: FieldInfo, value: Any) -> ParameterDescriptor:
    choices = _choices(field)
    descriptor = ParameterDescriptor(
        description=describe_parameter(field),
        additional_constraints=f"one of: {', '.join(choices)}" if choices else "",
    )
    low, high = _bounds(field)
    if isinstance(value, float) and (low, high) != (None, None):
        descriptor.floating_point_range = [
            FloatingPointRange(
                from_value=float("-inf") if low is None else float(low),
                to_value=float("inf") if high is None else float(high),
            )
        ]
    elif isinstance(value, int) and not isinstance(value, bool) and None not in (low, high):
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    return descriptor


def _choices(field: FieldInfo) -> tuple[str, ...]:
    is_choice = get_origin(field.annotation) is Literal
    return tuple(map(str, get_args(field.annotation))) if is_choice else ()


def _bounds(field: FieldInfo) -> tuple[Any, Any]:
    """Lowest and highest value; ROS has only closed ranges, the schema enforces open ones."""
    low = high = None
    for bound in field.metadata:
        if isinstance(bound, (Ge, Gt)):
            low = bound.ge if isinstance(bound, Ge) else bound.gt
        if isinstance(bound, (Le, Lt)):
            high = bound.le if isinstance(bound, Le) else bound.lt
    return low, high
