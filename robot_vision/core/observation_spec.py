"""What a policy that sees pictures is shown: cameras, state, words, and when."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

CameraName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=60)]
StateKind = Literal["none", "tool", "joints"]
Words = Literal["none", "vocabulary", "sentence"]
FromPerception = Literal["features", "depth", "tracks"]


class CameraInput(BaseModel):
    """A camera by its name, and the size at which the network takes its pictures.

    Pictures are stretched to that size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: CameraName
    width_px: int = Field(ge=16, le=4096)
    height_px: int = Field(ge=16, le=4096)
    has_depth: bool = Field(default=False, description="metric depth comes with the colour")


class ObservationSpec(BaseModel):
    """Cameras, arm and words as the network takes them.

    The newest picture of each camera and `steps` - 1 earlier ones, `step_s` apart; with each
    goes its age. State `tool` is position (m), x and y axis of the tool in the base frame and the
    gripper (0 closed to 1 open); `joints` is a position (rad or m) a joint, and the gripper.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cameras: tuple[CameraInput, ...] = ()
    steps: int = Field(default=1, ge=1, le=32)
    step_s: float = Field(default=0.1, gt=0, le=5)
    state: StateKind = "tool"
    joint_names: tuple[str, ...] = ()
    words: Words = "vocabulary"
    perception: tuple[FromPerception, ...] = Field(
        default=(), description="what of perception is shown beside the pictures"
    )

    @property
    def state_width(self) -> int:
        """Numbers of the state."""
        return {"none": 0, "tool": 10, "joints": len(self.joint_names) + 1}[self.state]
