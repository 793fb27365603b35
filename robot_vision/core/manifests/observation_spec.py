"""The observation of a policy from pixels: cameras, state, instruction, and timing."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

CameraName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=60)]
StateKind = Literal["none", "tool", "joints"]
Words = Literal["none", "vocabulary", "sentence"]
FromPerception = Literal["features", "depth", "tracks"]


class CameraInput(BaseModel):
    """A camera by name, and the size of its pictures at the network's input.

    Pictures are stretched to that size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: CameraName
    width_px: int = Field(ge=16, le=4096)
    height_px: int = Field(ge=16, le=4096)
    has_depth: bool = Field(
        default=False, description="whether metric depth is used with the colour"
    )


class ObservationSpec(BaseModel):
    """Cameras, arm and instruction as the network takes them.

    The newest picture of each camera and `steps` - 1 earlier ones, `step_s` apart, each with its
    age. State `tool` is position (m), x and y axis of the tool in the base frame and the gripper
    (0 closed to 1 open); `joints` is one position (rad or m) per joint, and the gripper.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cameras: tuple[CameraInput, ...] = ()
    steps: int = Field(default=1, ge=1, le=32)
    step_s: float = Field(default=0.1, gt=0, le=5)
    state: StateKind = "tool"
    joint_names: tuple[str, ...] = ()
    words: Words = "vocabulary"
    perception: tuple[FromPerception, ...] = Field(
        default=(), description="perception outputs used besides the pictures"
    )

    @property
    def state_width(self) -> int:
        """Length of the state."""
        return {"none": 0, "tool": 10, "joints": len(self.joint_names) + 1}[self.state]
