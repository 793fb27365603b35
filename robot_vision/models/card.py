"""What a model declares of itself: the contract that training, export, service and tests read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from robot_vision.core.manifest import ModelInput
from robot_vision.core.params import Params

SpecT = TypeVar("SpecT", bound=Params)


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the pictures that a graph is exported for."""

    width_px: int
    height_px: int
    any_size: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """One network as it is served: it becomes one ONNX file.

    `module` is called with the values of `example`, in their order, and returns a tuple in the
    order of `outputs` (role → name of the tensor; ONNX allows no input and output of one name).
    `dynamic` holds `torch.export.Dim`s by input and axis; axes that are not there are fixed.
    """

    file: str
    module: nn.Module
    example: dict[str, Tensor]
    outputs: dict[str, str]
    dynamic: dict[str, dict[int, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Serving(Generic[SpecT]):
    """How a model is served: the graphs that run it and the format that decodes them.

    `format` is a name in `robot_vision.formats`, or empty for a policy. `image` describes the
    picture that the graph takes; None for what takes no picture.
    """

    graphs: Callable[[nn.Module, SpecT, Size], tuple[Graph, ...]]
    format: str = ""
    image: Callable[[SpecT, Size], ModelInput] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Card(Generic[SpecT]):
    """One model. Register it with `register_model(Card(…))` in the file that defines the model.

    `spec` holds the model's choices with their defaults; `build(spec)` makes it with fresh
    weights. `tiny` is a spec that tests build in milliseconds. `example(spec, batch)` makes valid
    inputs by name; the model is called with its values in order, or with the whole where it is
    `called_by_name`, and returns outputs by role.

    Shapes are dimensions separated by spaces, one letter case, as jaxtyping has them: a number, a
    name, or a name divided or multiplied by a number (`h/16`). Names are fields of the spec
    (`classes`), else dimensions that must agree wherever they occur. `b` is the batch. Where the
    spec decides what inputs or outputs there are, a function of it gives their shapes.
    """

    name: str
    about: str
    task: str
    spec: SpecT
    tiny: SpecT
    build: Callable[[SpecT], nn.Module]
    example: Callable[[SpecT, int], dict[str, Tensor]]
    inputs: Mapping[str, str] | Callable[[SpecT], Mapping[str, str]]
    outputs: Mapping[str, str] | Callable[[SpecT], Mapping[str, str]]
    most_parameters: int
    serving: Serving[SpecT] | None = None
    called_by_name: bool = False
    paper: str = ""
    licence: str = "Apache-2.0"
    limits: str = ""

    def arguments(self, inputs: Mapping[str, Tensor]) -> tuple[Any, ...]:
        """What the model is called with, from inputs by name."""
        return (inputs,) if self.called_by_name else tuple(inputs.values())
