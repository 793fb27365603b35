"""`~/action_spec`: what the numbers of an action mean. Travels with the policy's weights."""

import hashlib
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from robot_vision.core.observation_spec import FromPerception

ACTION_NAMES = ("x", "y", "z", "rx", "ry", "rz", "gripper")

_Numbers = Annotated[tuple[float, ...], Field(min_length=1, max_length=128)]


class ActionStatistics(BaseModel):
    """A physical action is `mean + scale · normalised`, per column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: _Numbers
    scale: _Numbers

    @model_validator(mode="after")
    def _of_one_length(self) -> "ActionStatistics":
        if len(self.mean) != len(self.scale):
            raise ValueError(f"{len(self.mean)} numbers of mean, {len(self.scale)} of scale")
        return self

    @property
    def sha256(self) -> str:
        """Hash of the numbers, by which two sides know that they mean the same ones."""
        text = json.dumps([self.mean, self.scale])
        return hashlib.sha256(text.encode()).hexdigest()


class JointSpec(BaseModel):
    """Joints that are commanded, in the order of `~/command/joint_velocity`, and their limits.

    Positions in rad or m, velocity and acceleration a second: those kept to, margins included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    max_velocity: tuple[float, ...]
    max_acceleration: tuple[float, ...]


class ActionSpec(BaseModel):
    """Frame, rotation, polarity, step and horizon of a policy's actions, and what it was made for.

    Deltas are in the axes of `frame_id`; each step is relative to the target before it, the
    first to the tool as observed. Rotations are applied from the left: R' = exp(Δ) R.

    With `joint_names` the network answers positions of these joints (rad or m) and the gripper;
    they become the steps above by the arm's forward kinematics, before anything is sent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_id: str
    perception_model_id: str = Field(
        description="whose features the policy was trained on; empty: it takes none"
    )
    takes_of_perception: tuple[FromPerception, ...] = Field(
        default=(), description="what a policy from pixels takes of it, as its observation says"
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
        default=(), description="joints whose positions the network answers; empty: tool steps"
    )
    step_s: float = Field(0.05, gt=0, le=1)
    horizon: int = Field(12, ge=1, le=64)
    history: int = Field(2, ge=0, le=16, description="robot states before the observed one")
    statistics: ActionStatistics
    joint_space: JointSpec | None = Field(
        default=None, description="what the node commands in joint space; no part of a policy"
    )

    @property
    def width(self) -> int:
        """Numbers of one step as the network answers it."""
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
