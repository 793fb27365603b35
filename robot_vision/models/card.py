"""What a model declares about itself: the contract for training, export, service and tests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from robot_vision.core.manifests.manifest import ModelInput
from robot_vision.core.parameters.params import Params
from robot_vision.models.encoders.layout import Layout

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

    `module` is called with the values of `example`, in order, and returns a tuple in the order of
    `outputs` (role → name of the tensor; in ONNX an input and an output may not share a name).
    `dynamic` holds `torch.export.Dim`s by input and axis; other axes are fixed. `amplifies` is how
    many times more than in other networks rounding may change the outputs.
    """

    file: str
    module: nn.Module
    example: dict[str, Tensor]
    outputs: dict[str, str]
    dynamic: dict[str, dict[int, Any]] = field(default_factory=dict)
    amplifies: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Serving(Generic[SpecT]):
    """How a model is served: the graphs that run it and the format that decodes them.

    `format` is a name in `robot_vision.formats`, or empty for a policy. `image` describes the
    picture that the graph takes; None if it takes none.
    """

    graphs: Callable[[nn.Module, SpecT, Size], tuple[Graph, ...]]
    format: str = ""
    image: Callable[[SpecT, Size], ModelInput] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Card(Generic[SpecT]):
    """One model. Register it with `register_model(Card(…))` in the file that defines the model.

    `spec` holds the model's options with their defaults; `build(spec)` makes it with new weights.
    `tiny` is a spec that tests build in milliseconds. `example(spec, batch)` makes valid inputs by
    name; the model is called with their values in order, or with the whole mapping if it is
    `called_by_name`, and returns outputs by role.

    Shapes are dimensions separated by spaces, as in jaxtyping: a number, a name, or a name divided
    or multiplied by a number (`h/16`). Names are fields of the spec (`classes`), or dimensions
    that must agree wherever they occur. `b` is the batch. Where inputs or outputs depend on the
    spec, a function of the spec returns the shapes.

    `layouts` are names of weights in public implementations that `models convert` can read.
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
    layouts: tuple[Layout, ...] = ()
    called_by_name: bool = False
    paper: str = ""
    licence: str = "Apache-2.0"
    limits: str = ""

    def arguments(self, inputs: Mapping[str, Tensor]) -> tuple[Any, ...]:
        """Arguments of a call of the model, from inputs by name."""
        return (inputs,) if self.called_by_name else tuple(inputs.values())
