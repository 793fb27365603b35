"""What the numbers of a dataset mean, as a YAML file that its owner fills in."""

import math
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from robot_vision.core.parameters.params import Params
from robot_vision.datasets.meaning.camera import CameraMeaning

Column = Annotated[int, Field(ge=0, le=4095)] | Annotated[str, StringConstraints(max_length=200)]
Columns = Annotated[tuple[Column, ...], Field(max_length=64)]
Rotation = Literal[
    "none", "rotation_vector", "rpy", "quaternion_xyzw", "quaternion_wxyz", "two_axes"
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
LengthUnit = Literal["m", "mm"] | Positive
AngleUnit = Literal["rad", "deg"] | Positive

ROTATION_COLUMNS: dict[Rotation, int] = {
    "none": 0,
    "rotation_vector": 3,
    "rpy": 3,
    "quaternion_xyzw": 4,
    "quaternion_wxyz": 4,
    "two_axes": 6,
}
ANGLES: tuple[Rotation, ...] = ("rotation_vector", "rpy")
_METRES = {"m": 1.0, "mm": 1e-3}
_RADIANS = {"rad": 1.0, "deg": math.pi / 180}


class PoseColumns(Params):
    """Position and rotation of the tool: a pose in the base frame, or a change of it."""

    position: Columns = Field(description="the three columns of x, y, z", min_length=3)
    position_unit: LengthUnit = Field(description="m, mm, or metres per unit")
    rotation: Rotation = Field(
        description="rpy: about the fixed axes x, y, z, R = Rz Ry Rx; two_axes: the first two "
        "columns of the rotation matrix, x axis first"
    )
    rotation_columns: Columns = Field(
        default=(), description="3, 4 (quaternions) or 6 (two axes) columns, in order"
    )
    angle_unit: AngleUnit = Field(default="rad", description="rad, deg, or radians per unit")

    @model_validator(mode="after")
    def _as_many_columns_as_needed(self) -> "PoseColumns":
        if len(self.position) != 3:
            raise ValueError(f"position has {len(self.position)} columns, expected x, y, z")
        expected = ROTATION_COLUMNS[self.rotation]
        if len(self.rotation_columns) != expected:
            raise ValueError(
                f"rotation_columns has {len(self.rotation_columns)} columns; "
                f"{self.rotation} has {expected}"
            )
        return self

    @property
    def metres(self) -> float:
        """Metres per unit."""
        return (
            _METRES[self.position_unit]
            if isinstance(self.position_unit, str)
            else (self.position_unit)
        )

    @property
    def radians(self) -> float:
        """How many radians the number 1 stands for."""
        return radians_of(self.angle_unit)


class JointColumns(Params):
    """Positions of joints, or changes of them."""

    columns: Columns = Field(
        description="one column per joint, starting at the base", min_length=1
    )
    angle_unit: AngleUnit = Field(description="rad, deg, or radians (metres for a slide) per unit")
    names: tuple[str, ...] = Field(
        default=(), description="names of the joints in the robot's description"
    )

    @model_validator(mode="after")
    def _a_name_a_joint(self) -> "JointColumns":
        if self.names and len(self.names) != len(self.columns):
            raise ValueError(f"{len(self.names)} names for {len(self.columns)} columns of joints")
        return self

    @property
    def radians(self) -> float:
        """How many radians the number 1 stands for."""
        return radians_of(self.angle_unit)

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The given names, else those of the columns."""
        return self.names or tuple(str(column).removesuffix(".pos") for column in self.columns)


class GripperColumn(Params):
    """The gripper: the numbers for closed and for open; linear between them."""

    column: Column = Field(description="the column of the gripper")
    closed: float = Field(allow_inf_nan=False, description="the number of a closed gripper")
    open: float = Field(
        allow_inf_nan=False,
        description="the number of an open gripper; a width in m has its maximum here",
    )

    @model_validator(mode="after")
    def _ends_differ(self) -> "GripperColumn":
        if self.closed == self.open:
            raise ValueError(f"closed and open are both {self.open:g}")
        return self


def columns_of(
    tool: PoseColumns | None, joints: JointColumns | None, gripper: GripperColumn | str | None
) -> list[Column]:
    """All columns that the parts of an action or a state name."""
    columns = [*tool.position, *tool.rotation_columns] if tool is not None else []
    columns += joints.columns if joints is not None else ()
    return columns + ([gripper.column] if isinstance(gripper, GripperColumn) else [])


def _must_differ(
    tool: PoseColumns | None, joints: JointColumns | None, gripper: GripperColumn | str | None
) -> None:
    columns = columns_of(tool, joints, gripper)
    twice = sorted({str(column) for column in columns if columns.count(column) > 1})
    if twice:
        raise ValueError(f"one column is given twice: {', '.join(twice)}")


def _must_be_in_one_order(
    commanded: JointColumns | None, observed: JointColumns | None, kind: str
) -> None:
    if commanded is None or observed is None:
        return
    names, seen = commanded.joint_names, observed.joint_names
    if kind == "delta" and len(names) != len(seen):
        raise ValueError(
            f"action.joints has {len(names)} columns, state.joints {len(seen)}; deltas of joints "
            "need the state of the same joints in the same order"
        )
    if names != seen and sorted(names) == sorted(seen):
        raise ValueError(
            f"action.joints are {', '.join(names)}, state.joints {', '.join(seen)}; list them in "
            "the same order, whatever the order of the columns in the set"
        )


class StateMeaning(Params):
    """The observed state of the arm; a set may have the tool, the joints, or both."""

    tool: PoseColumns | None = None
    joints: JointColumns | None = None
    gripper: GripperColumn | None = Field(
        default=None, description="omitted if the gripper was not observed"
    )

    @model_validator(mode="after")
    def _something(self) -> "StateMeaning":
        if self.tool is None and self.joints is None:
            raise ValueError("neither tool nor joints are given")
        if self.tool is not None and self.tool.rotation == "none":
            raise ValueError("the tool of a state needs a rotation; leave the tool out otherwise")
        _must_differ(self.tool, self.joints, self.gripper)
        return self


class ActionMeaning(Params):
    """The command: the tool or the joints, as changes or as targets."""

    tool: PoseColumns | None = None
    joints: JointColumns | None = None
    kind: Literal["delta", "absolute"] = Field(
        description="delta: changes; absolute: targets in the base frame, or of the joints"
    )
    axes: Literal["base", "tool"] = Field(
        default="base",
        description="axes of a delta of the tool: those of the base frame, or the tool's own",
    )
    delta_from: Literal["chained", "tool", "target"] = Field(
        default="chained",
        description="chained: deltas are executed one after another as they are; tool: each leads "
        "from the state observed in its row to a target; target: each leads from the target "
        "before it, the first from the observed state",
    )
    shift_steps: int = Field(
        default=0,
        ge=-16,
        le=16,
        description="the action of a row is this many rows later in the set",
    )
    gripper: GripperColumn | Literal["none"] = Field(
        description="none: the arm has no gripper, or it never moves"
    )

    @model_validator(mode="after")
    def _one_space(self) -> "ActionMeaning":
        if (self.tool is None) == (self.joints is None):
            raise ValueError("expected the columns of either tool or joints")
        if self.kind == "absolute":
            if self.axes == "tool":
                raise ValueError("absolute targets are in the base frame: axes must be base")
            if self.tool is not None and self.tool.rotation == "none":
                raise ValueError("absolute targets of the tool need a rotation")
        _must_differ(self.tool, self.joints, self.gripper)
        return self

    @property
    def columns(self) -> list[Column]:
        return columns_of(self.tool, self.joints, self.gripper)

    @property
    def space(self) -> Literal["tool", "joints"]:
        return "tool" if self.tool is not None else "joints"

    @property
    def needs_state(self) -> bool:
        """Whether steps are known only together with the observed state."""
        return self.kind == "absolute" or self.delta_from != "chained"


class Meaning(Params):
    """The meaning of a dataset's action and state, and the poses of its cameras."""

    rate_hz: float = Field(gt=0, le=1000, description="steps per second")
    action: ActionMeaning
    state: StateMeaning | None = Field(
        default=None, description="none if the set lacks the arm's state"
    )
    cameras: Annotated[dict[str, CameraMeaning], Field(max_length=32)] = Field(
        default={}, description="poses of cameras, by their names in the set; may be omitted"
    )
    accept: tuple[str, ...] = Field(
        default=(),
        description="codes of findings known to be false, or accepted: they do not stop training",
    )

    @field_validator("state", mode="before")
    @classmethod
    def _none_in_words(cls, value: object) -> object:
        return None if value == "none" else value

    @model_validator(mode="after")
    def _state_where_needed(self) -> "Meaning":
        action, state = self.action, self.state
        needs_tool = action.space == "tool" and (action.needs_state or action.axes == "tool")
        if needs_tool and (state is None or state.tool is None):
            raise ValueError(
                "absolute targets, deltas in the tool's axes and deltas from tool or target "
                "need state.tool: where the tool was"
            )
        is_joint_delta = action.space == "joints" and action.kind == "delta"
        if is_joint_delta and (state is None or state.joints is None):
            raise ValueError("deltas of joints need state.joints: where the joints were")
        _must_be_in_one_order(action.joints, None if state is None else state.joints, action.kind)
        on_tool = [name for name, camera in self.cameras.items() if camera.is_on_tool]
        if on_tool and (state is None or state.tool is None):
            raise ValueError(f"cameras on the tool ({', '.join(on_tool)}) need state.tool")
        return self


def radians_of(unit: AngleUnit) -> float:
    """How many radians the number 1 stands for."""
    return _RADIANS[unit] if isinstance(unit, str) else unit
