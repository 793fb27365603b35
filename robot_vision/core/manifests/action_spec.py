"""`~/action_spec`: what the numbers of an action mean. Travels with the policy's weights."""

import hashlib
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from robot_vision.core.manifests.observation_spec import FromPerception

ACTION_NAMES = ("x", "y", "z", "rx", "ry", "rz", "gripper")

_Numbers = Annotated[tuple[FiniteFloat, ...], Field(min_length=1, max_length=128)]


class ActionStatistics(BaseModel):
    """A physical action is `mean + scale · normalised`, per column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: _Numbers
    scale: _Numbers

    @model_validator(mode="after")
    def _of_one_length(self) -> "ActionStatistics":
        if len(self.mean) != len(self.scale):
            raise ValueError(
                f"mean has {len(self.mean)} numbers, scale has {len(self.scale)}; expected equal "
                "lengths"
            )
        return self

    @property
    def sha256(self) -> str:
        """Hash of the statistics, so that both sides can check that they use the same ones."""
        text = json.dumps([self.mean, self.scale])
        return hashlib.sha256(text.encode()).hexdigest()


class JointSpec(BaseModel):
    """Commanded joints, in the order of `~/command/joint_velocity`, and their limits.

    Positions in rad or m, velocities and accelerations per second. Limits include the margins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    max_velocity: tuple[float, ...]
    max_acceleration: tuple[float, ...]


class ActionSpec(BaseModel):
    """Frame, rotation, polarity, step and horizon of a policy's actions, and the inputs it
    expects.

    Deltas are in the axes of `frame_id`; each step is relative to the previous target, the first
    to the observed tool pose. Rotations are applied from the left: R' = exp(Δ) R.

    With `joint_names` the network outputs positions of these joints (rad or m) and the gripper;
    the arm's forward kinematics converts them to such steps before anything is sent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_id: str
    perception_model_id: str = Field(
        description="bundle whose features the policy was trained on; empty: it uses none"
    )
    takes_of_perception: tuple[FromPerception, ...] = Field(
        default=(),
        description="perception outputs that a policy from pixels uses, by its observation",
    )
    identity: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        description="hash over weights, pre-processing, statistics and convention",
    )
    frame_id: str = "base"
    tool_frame_id: str = "tool"
    rotation: Literal["rotation_vector"] = "rotation_vector"
    delta: Literal["base_axes"] = "base_axes"
    gripper: Literal["0_closed_1_open"] = "0_closed_1_open"
    names: tuple[str, ...] = ACTION_NAMES
    joint_names: tuple[str, ...] = Field(
        default=(),
        description="joints whose positions the network outputs; empty: it outputs tool steps",
    )
    step_s: float = Field(0.05, gt=0, le=1)
    horizon: int = Field(12, ge=1, le=64)
    history: int = Field(
        2, ge=0, le=16, description="number of robot states before the observed one"
    )
    statistics: ActionStatistics
    joint_space: JointSpec | None = Field(
        default=None,
        description="joints that the node commands in joint space; not part of a policy",
    )

    @property
    def width(self) -> int:
        """Length of one step as the network outputs it."""
        return len(self.joint_names) + 1 if self.joint_names else len(ACTION_NAMES)

    @model_validator(mode="after")
    def _statistics_fit(self) -> "ActionSpec":
        if len(self.statistics.mean) != self.width:
            what = "joints and the gripper" if self.joint_names else ", ".join(ACTION_NAMES)
            raise ValueError(
                f"statistics have {len(self.statistics.mean)} numbers; expected {self.width} "
                f"({what})"
            )
        return self
